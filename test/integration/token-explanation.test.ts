import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JWTPayload } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRsaIssuer } from '../kit/credentials/issuer.ts'
import { openKeyServer } from '../kit/credentials/jwks.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** The command in a process of its own, with an issuer whose keys are on this machine. */
async function open() {
  const issuer = await createRsaIssuer({ issuer: 'https://id.test', audience: 'https://our-api' })
  const server = await openKeyServer(issuer.jwk)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const directory = await mkdtemp(join(tmpdir(), 'token-explanation-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const config = join(directory, 'gateway.json')
  const { issuer: name, audience } = issuer
  const settings = {
    issuers: [
      { issuer: name, audience, jwksUrl: server.url, requiredClaims: { token_use: 'access' } },
    ],
    session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
    assistants: [
      {
        id: 'bot',
        name: 'Bot',
        strategy: 'bot',
        baseUrl: 'http://127.0.0.1:9',
        credentials: { type: 'token', token: 'hunter2', allowSharedToken: true },
        bot: { botId: '7003' },
      },
    ],
    store: 'sqlite::memory:',
  }
  await writeFile(config, JSON.stringify(settings))

  async function explain(text: string) {
    const file = join(directory, 'token')
    await writeFile(file, text)
    const args = [cli, 'check-config', '--config', config, '--token', file]
    const { promise, resolve } = Promise.withResolvers<{ code: unknown; stdout: string }>()
    execFile(process.execPath, args, { env: {} }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, stdout }),
    )
    return await promise
  }
  const sign = (claims: JWTPayload) =>
    issuer.sign('alice', { token_use: 'access', scope: 'chat', ...claims })
  return { server, explain, sign }
}

describe('check-config --token', () => {
  it('tells the caller whom a token names, however it was pasted', async () => {
    const { explain, sign } = await open()
    const { code, stdout } = await explain(`Authorization: Bearer ${await sign({})}\r\n`)
    expect(code).toBe(0)
    expect(stdout).toContain('The gateway accepts this token.')
    expect(stdout).toMatch(/subject +"alice"/)
    expect(stdout).toMatch(/scopes +\["chat"\]/)
    expect(stdout).not.toContain('FAIL')
  })

  it('tells every check that failed, with what was found, what is expected, and the setting', async () => {
    const { explain, sign } = await open()
    const token = await sign({ aud: 'https://another-api', token_use: 'id', exp: 1_000 })
    const { code, stdout } = await explain(token)
    expect(code).toBe(1)
    const failed = [...stdout.matchAll(/^FAIL {2}(.*)$/gm)].map(([, name]) => name)
    expect(failed).toEqual(['expiry', 'audience', 'required claims'])
    expect(stdout).toContain(
      [
        'FAIL  audience',
        '      The claim aud of the token is missing or not accepted.',
        '      claim: aud',
        '      found: "https://another-api"',
        '      expected: https://our-api',
        '      setting: issuers[0].audience',
      ].join('\n'),
    )
    expect(stdout).toContain('pass  signature')
    expect(stdout).toContain('The gateway refuses this token.')
    for (const part of token.split('.')) expect(stdout).not.toContain(part)
  })

  it('tells that the issuer is another one by a slash at its end', async () => {
    const { explain, sign } = await open()
    const { code, stdout } = await explain(await sign({ iss: 'https://id.test/' }))
    expect(code).toBe(1)
    expect(stdout).toContain('found: "https://id.test/"')
    expect(stdout).toContain('expected: https://id.test\n')
    expect(stdout).toContain('setting: issuers[].issuer')
  })

  it('tells that the keys could not be fetched, from where and why', async () => {
    const { server, explain, sign } = await open()
    server.answer((response) => response.writeHead(404).end())
    const { code, stdout } = await explain(await sign({}))
    expect(code).toBe(1)
    expect(stdout).toContain('FAIL  signature')
    const { host } = new URL(server.url)
    expect(stdout).toContain(`the keys could not be fetched from ${host} (refused, HTTP 404)`)
  })

  it('tells that a text is no token', async () => {
    const { explain } = await open()
    const { code, stdout } = await explain('an opaque token')
    expect(code).toBe(1)
    expect(stdout).toContain('FAIL  form\n      The token is not a signed JWT.')
  })
})
