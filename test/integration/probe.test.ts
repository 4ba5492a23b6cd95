import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
} from '../kit/process/emulator.ts'
import { startSystem } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const app = createTestApp()

describe('coze-graphql-gateway probe', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'probe-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  async function open(options: Partial<EmulatorOptions> = {}) {
    const emulator = await startEmulator({
      apps: [publicPart(app)],
      workflows: [{ workflowId: '7001', appId: '7002' }],
      bots: [{ botId: '7003' }],
      wordsPerSecond: 0,
      remembers: { variables: true, longTermMemory: true },
      switches: { busyGuardsWorkflow: false },
      ...options,
    })
    const configFile = join(directory, 'gateway.json')
    await writeFile(configFile, JSON.stringify(configFor(emulator)))
    return { emulator, configFile, [Symbol.asyncDispose]: () => emulator.close() }
  }

  function configFor({ url }: RunningEmulator) {
    return {
      issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: 's'.repeat(40) }],
      session: { key: 'k'.repeat(40), nameKeys: [{ version: 1, key: 'n'.repeat(40) }] },
      assistants: [
        {
          id: 'support',
          name: 'Support',
          strategy: 'auto',
          baseUrl: url,
          credentials: {
            type: 'oauth',
            appId: app.appId,
            keyId: app.keyId,
            privateKey: app.privateKeyPem,
          },
          workflow: { workflowId: '7001', appId: '7002' },
          fallback: { botId: '7003' },
        },
      ],
    }
  }

  function start(...args: readonly string[]) {
    const child = spawn(process.execPath, [cli, 'probe', ...args])
    const seen = { out: '', err: '' }
    child.stdout.on('data', (text: Buffer) => (seen.out += text.toString()))
    child.stderr.on('data', (text: Buffer) => (seen.err += text.toString()))
    const exited = once(child, 'close').then(([code]: readonly unknown[]) => code)
    return { child, seen, exited }
  }

  async function run(...args: readonly string[]) {
    const { seen, exited } = start(...args)
    return { code: await exited, ...seen }
  }

  it('answers 0 for an assistant that keeps sessions apart, both of an "auto" one', async () => {
    await using system = await open()
    const { code, out, err } = await run('--config', system.configFile, '--trials', '1')
    expect([code, err.includes('at most 48 upstream calls')]).toEqual([0, true])
    expect(out).toMatch(/support \(workflow\): ISOLATED/)
    expect(out).toMatch(/support \(bot\): ISOLATED/)
    expect(err).toMatch(/trial 1 of 1/)
    // Of conversations nothing is left; what memory keeps is told.
    expect((await system.emulator.state()).conversations).toEqual([])
    expect(out).toMatch(/What may be left on the platform/)
  })

  it('answers 1 for one that leaks, with the cause, the remedy and a bundle for support', async () => {
    await using system = await open({ leaks: { staticConversation: true } })
    const bundle = join(directory, 'bundle.json')
    const { code, out } = await run('--config', system.configFile, '--bundle', bundle)
    const markdown = join(directory, 'bundle.md')
    await run('--config', system.configFile, '--bundle', markdown)
    expect(code).toBe(1)
    expect(out).toMatch(/support \(workflow\): LEAKING/)
    expect(out).toMatch(/support \(bot\): ISOLATED/)
    expect(out).toContain('静态会话名称')
    const json = await readFile(bundle, 'utf8')
    const { assistants, reports, timeline } = JSON.parse(json)
    expect(assistants).toMatchObject([{ id: 'support', workflow: { workflowId: '7001' } }])
    expect(reports).toMatchObject([{ verdict: 'LEAKING' }, { verdict: 'ISOLATED' }])
    expect(timeline.length).toBeGreaterThan(3)
    // Others may be in the conversation that all share: it stays.
    expect((await system.emulator.state()).conversations).toHaveLength(1)
    expect(out).toMatch(/users may be in it/)
    // Support sees by the ids that two sessions were in one conversation.
    const [first, second] = reports[0].exchanges
    expect(new Set([first.session, second.session])).toEqual(new Set([1, 2]))
    expect(first.conversationId).toBe(second.conversationId)
    expect(first.events).toMatch(/^accepted delta(×\d+)? message .*completed$/)
    const page = await readFile(markdown, 'utf8')
    expect(page).toContain('## support as a workflow: LEAKING')
    expect(page).toContain('静态会话名称')
    expect(page).toMatch(/\| accepted delta/)
    const text = json + page
    const { chats } = await system.emulator.state()
    const said = chats.map(({ sessionName = '?' }) => sessionName)
    for (const secret of ['CG-', 'czs_', 'PRIVATE KEY', ...said]) {
      expect(text.replaceAll('Codes that begin with CG-', '')).not.toContain(secret)
    }
  })

  it('answers 2 where nothing can be concluded, and tells it as JUnit', async () => {
    await using system = await open({ model: 'forgetful' })
    const { code, out } = await run('--config', system.configFile, '--format', 'junit')
    expect(code).toBe(2)
    expect(out).toMatch(/^<\?xml .*\n<testsuites>\n {2}<testsuite name="support \(workflow\)"/)
    expect(out).toMatch(/name="conversation"><error message=/)
  })

  it('names the log ids of what leaked, as JSON', async () => {
    await using system = await open({ leaks: { sharedMemory: true } })
    const { code, out } = await run('--config', system.configFile, '--format', 'json')
    expect(code).toBe(1)
    const [report] = JSON.parse(out)
    const memory = report.findings.find(
      ({ layer }: { layer: string }) => layer === 'long-term-memory',
    )
    expect(memory).toMatchObject({
      verdict: 'LEAKING',
      remedy: expect.stringContaining('按会话隔离'),
      evidence: [{ logIds: [expect.stringMatching(/^\d{14}/)] }],
    })
  })

  it('answers 3 where it cannot run', async () => {
    await using system = await open()
    await system.emulator.repeatFaults('/api/permission/oauth2/token', 100, {
      kind: 'status',
      status: 400,
      body: '{"error_code":"invalid_client"}',
    })
    const refused = await run('--config', system.configFile)
    expect([refused.code, refused.out]).toEqual([3, ''])
    expect(refused.err).toContain('could not be tested')
    expect(refused.err).toMatch(/\(token at 127\.0\.0\.1:\d+, HTTP 400, code invalid_client/)
    expect((await run('--config', join(directory, 'nowhere.json'))).code).toBe(3)
    expect((await run('--config', system.configFile, '--trials', 'many')).code).toBe(3)
  })

  it('tells a slip of the command line in words, before anything is paid for', async () => {
    await using system = await open()
    const file = async (name: string, text: string) => {
      await writeFile(join(directory, name), text)
      return join(directory, name)
    }
    const tokenFile = await file('token', 'x')
    const here = ['--config', system.configFile]
    const there = ['--gateway', 'http://127.0.0.1:1', '--token-file']
    const slips: readonly (readonly [readonly string[], string])[] = [
      [[...here, '--assistant', 'suport'], '--assistant must be one of support, got suport'],
      [[...here, '--bundle', join(directory, 'nowhere', 'b.json')], 'cannot be written (ENOENT)'],
      [[...here, '--bundle', directory], 'cannot be written (EISDIR)'],
      [[...here, '--knowledge', join(directory, 'nowhere')], 'cannot be read (ENOENT)'],
      [[...here, '--knowledge', tokenFile], 'must be JSON of the form'],
      [['--gateway', 'gateway.example', '--token-file', tokenFile], '--gateway must be a URL'],
      [[...there, join(directory, 'nowhere')], 'cannot be read (ENOENT)'],
      [[...there, await file('empty', '\n')], 'is empty'],
      [[...there, await file('two', 'a b')], 'does not hold a token'],
    ]
    for (const [args, words] of slips) {
      const { code, out, err } = await run(...args)
      expect([code, out]).toEqual([3, ''])
      expect(err).toContain(words)
      expect(err).not.toMatch(/^ +at /m)
    }
    expect((await system.emulator.state()).chats).toEqual([])
  })

  it('leaves a bundle of old alone when it cannot run, and makes no empty one', async () => {
    await using system = await open()
    const [old, none] = [join(directory, 'old.json'), join(directory, 'none.json')]
    await writeFile(old, 'as it was')
    for (const bundle of [old, none]) {
      const { code } = await run('--config', system.configFile, '--budget', '5', '--bundle', bundle)
      expect(code).toBe(3)
    }
    expect(await readFile(old, 'utf8')).toBe('as it was')
    await expect(readFile(none)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('keeps to its budget', async () => {
    await using system = await open()
    const { code, err, out } = await run('--config', system.configFile, '--budget', '5')
    expect([code, out]).toEqual([3, ''])
    expect(err).toContain('the budget of 5 upstream calls is spent')
  })

  it('takes away what it has begun when it is broken off', async () => {
    await using system = await open()
    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause' })
    const { child, seen, exited } = start('--config', system.configFile)
    await system.emulator.until({ held: 'pause' })
    child.kill('SIGINT')
    expect(await exited).toBe(3)
    expect(seen.err).toContain('stopped')
    await system.emulator.release()
    await until(
      async () => (await system.emulator.state()).conversations.length === 0,
      'its conversations to be gone',
    )
  })

  it('lets a running gateway do it, which keeps the verdict', async () => {
    await using system = await startSystem({ emulator: { leaks: { staticConversation: true } } })
    const tokenFile = join(directory, 'token')
    const remote = ['--gateway', system.gateway.url, '--token-file', tokenFile]
    const operator = system.tokenFor('operator', 600, 'coze-gateway:operator')
    await writeFile(tokenFile, `${operator}\n`)
    const { code, out, err } = await run(...remote, '--assistant', 'flow', '--format', 'json')
    expect([code, err.includes('upstream calls')]).toEqual([1, true])
    expect(err).toMatch(/… trial 1 of 2/)
    expect(JSON.parse(out)).toMatchObject([
      {
        assistantId: 'flow',
        strategy: 'workflow',
        verdict: 'LEAKING',
        startedAt: expect.any(Number),
      },
    ])
    const query = '{ assistants { isAvailable isolation { verdict } } }'
    const { token } = system.person('alice')
    const seenWith = async (credential: string) =>
      JSON.parse((await system.client.call({ token: credential, query })).body).data.assistants[0]
    expect(await seenWith(operator)).toEqual({
      isAvailable: false,
      isolation: { verdict: 'LEAKING' },
    })
    expect(await seenWith(token)).toEqual({ isAvailable: false, isolation: null })

    const unknown = await run(...remote, '--assistant', 'nobody')
    expect([unknown.code, unknown.err]).toEqual([3, expect.stringContaining('no such assistant')])
    await writeFile(tokenFile, token)
    const refused = await run(...remote)
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('operators only')])
    expect((await run('--gateway', system.gateway.url)).err).toContain('--token-file')
    const nowhere = await run('--gateway', 'http://127.0.0.1:1', '--token-file', tokenFile)
    expect([nowhere.code, nowhere.err]).toEqual([3, expect.stringContaining('cannot be reached')])
  })
})
