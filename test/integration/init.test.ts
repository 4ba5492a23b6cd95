import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { initQuestions } from '../../src/cli/options.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createTestApp } from '../kit/process/emulator.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'init-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function run(folder: string, args: readonly string[]) {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code]: unknown[] = await exited
  return { code, stdout, stderr }
}

/** The same at a terminal of `script` (util-linux), where each question gets the next answer. */
async function runAtTerminal(folder: string, answers: readonly (string | typeof endOfInput)[]) {
  const command = `'${process.execPath}' '${cli}' init`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: folder,
    env: { TERM: 'dumb', PATH: process.env['PATH'] },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let shown = ''
  let asked = 0
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    shown += String(chunk)
    // The terminal shows a question again with each character of its answer.
    const questions = Object.values(initQuestions).filter((question) => shown.includes(question))
    for (const answer of answers.slice(asked, questions.length)) {
      child.stdin.write(answer === endOfInput ? '\u0004' : `${answer}\r`)
      asked += 1
    }
  }
  const [code]: unknown[] = await exited
  return { code, shown }
}
const endOfInput = Symbol('end of input')

const given = [
  ['--workflow-id', '7001'],
  ['--app-id', '7002'],
  ['--oauth-app-id', '1100'],
  ['--key-id', 'fingerprint'],
  ['--issuer', 'https://id.test/'],
].flat()

describe('coze-graphql-gateway init', () => {
  it('writes a configuration with comments that check-config accepts, and keys that only their owner reads', async () => {
    const folder = await openFolder()
    const made = await run(folder, ['init', ...given])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(await readdir(folder)).toEqual(['gateway.json', 'name.key', 'session.key'])
    for (const key of ['session.key', 'name.key']) {
      expect((await stat(join(folder, key))).mode & 0o777).toBe(0o600)
      expect(made.stdout).toContain(`wrote ${key}`)
    }
    expect(await readFile(join(folder, 'session.key'))).not.toEqual(
      await readFile(join(folder, 'name.key')),
    )
    const [, next = ''] = /^next: npx coze-graphql-gateway (.*) --online$/m.exec(made.stdout) ?? []
    await writeFile(join(folder, 'coze.pem'), createTestApp().privateKeyPem)
    expect(await run(folder, next.split(' '))).toMatchObject({ code: 0, stderr: '' })
    const file = join(folder, 'gateway.json')
    const text = await readFile(file, 'utf8')
    expect(text).toContain('  // The address of the gateway.\n')
    expect(text).toContain(' docs/operations.md#postgresql.\n')
    expect(parseConfig({ file, env: {} })).toMatchObject({
      issuers: [{ issuer: 'https://id.test/', keys: [{ type: 'discovery' }] }],
      assistants: [{ baseUrl: 'https://api.coze.com', workflow: { workflowId: '7001' } }],
    })
  })

  it('leaves gaps that check-config names, where nobody is there to be asked', async () => {
    const folder = await openFolder()
    const { stdout } = await run(folder, ['init', '--bot-id', '7003', '--config', 'a/b.json'])
    expect(stdout).toContain('fill in 3 values')
    const { code, stderr } = await run(folder, ['check-config', '--config', 'a/b.json'])
    expect(code).toBe(2)
    expect(new Set(stderr.match(/^\w+\[[\w[\].]+(?=: )/gm))).toEqual(
      new Set([
        'issuers[0].issuer',
        'issuers[0]',
        'assistants[0].credentials.appId',
        'assistants[0].credentials.keyId',
        'assistants[0].credentials.privateKey',
      ]),
    )
  })

  it('changes nothing that exists', async () => {
    const folder = await openFolder()
    await run(folder, ['init'])
    const read = () =>
      Promise.all(
        ['gateway.json', 'session.key', 'name.key'].map((name) => readFile(join(folder, name))),
      )
    const before = await read()
    const again = await run(folder, ['init', ...given])
    expect(again).toMatchObject({ code: 2, stdout: '' })
    expect(again.stderr).toContain('gateway.json exists already: nothing was written')
    expect(await read()).toEqual(before)
    await rm(join(folder, 'gateway.json'))
    const { stdout } = await run(folder, ['init'])
    expect(stdout).toContain('kept session.key\nkept name.key\n')
    expect((await read()).slice(1)).toEqual(before.slice(1))
  })

  it('asks at a terminal for what it was not told', async () => {
    const folder = await openFolder()
    const answers = [
      'https://api.coze.cn',
      '',
      '7003',
      '1100',
      'fingerprint',
      '',
      'https://id.test',
      'people',
      '',
    ]
    const { code, shown } = await runAtTerminal(folder, answers)
    expect({ code, shown }).toMatchObject({ code: 0 })
    expect(shown).toContain('Base URL of the Coze API [https://api.coze.com]: ')
    await writeFile(join(folder, 'coze.pem'), createTestApp().privateKeyPem)
    expect(parseConfig({ file: join(folder, 'gateway.json'), env: {} })).toMatchObject({
      issuers: [{ issuer: 'https://id.test', audience: ['people'] }],
      assistants: [{ baseUrl: 'https://api.coze.cn', strategy: 'bot', bot: { botId: '7003' } }],
    })
  })

  it('writes nothing when it is broken off at a question', async () => {
    const folder = await openFolder()
    const { code, shown } = await runAtTerminal(folder, ['https://api.coze.cn', endOfInput])
    expect({ code, shown }).toMatchObject({ code: 2 })
    expect(shown).toContain('stopped: nothing was written')
    expect(await readdir(folder)).toEqual([])
  })
})
