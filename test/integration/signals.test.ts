import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createClient } from '../kit/clients/client.ts'
import { startPostgres } from '../kit/process/postgres.ts'
import { startSystem } from '../kit/process/system.ts'
import { until, within } from '../kit/process/until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const send = 'mutation { sendMessage(input: { text: "/long 12" }) { __typename } }'
const replies = 'subscription { replies { __typename } }'
const lastReply =
  '{ conversations(first: 1) { nodes { messages(last: 1) { nodes { reply { status } } } } } }'

/** `npm run SCRIPT` as a terminal or a container starts it: in a process group of its own. */
function runNpm(script: string, args: readonly string[]) {
  const npm = spawn('npm', ['run', script, '--', ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid = 0 } = npm
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  }
  const exited = once(npm, 'exit')
  return {
    pid,
    exited,
    get output() {
      return output
    },
    async [Symbol.asyncDispose]() {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // All of the group have ended.
      }
      await exited
    },
  }
}

const isListening = async (url: string) =>
  await fetch(`${url}/health/live`).then(
    ({ ok }) => ok,
    () => false,
  )

describe('a signal', () => {
  const toAll = (pid: number) => process.kill(-pid, 'SIGINT')
  it.each([
    [
      'SIGTERM to npm alone, as a container runtime sends it',
      (pid: number) => process.kill(pid, 'SIGTERM'),
      1,
    ],
    ['SIGINT to npm and all below it, as Ctrl-C in a terminal', toAll, 1],
    ['SIGINT to npm and all below it, two workers among them', toAll, 2],
  ])('F20: reaches the gateway through npm: %s', async (_how, signal, workers) => {
    await using server = workers > 1 ? await startPostgres() : undefined
    const config = server && { store: await server.newDatabase() }
    await using system = await startSystem({
      timeouts: { drainMs: 60_000 },
      ...(config && { config }),
    })
    await system.gateway.kill('SIGTERM')
    await using npm = runNpm('serve', [
      '--config',
      system.gateway.configFile,
      '--workers',
      `${workers}`,
    ])
    const [, url = ''] = await until(
      () => /"url":"([^"]+)".*"listening"/.exec(npm.output) ?? undefined,
      'the gateway to listen',
      60_000,
    )
    using client = createClient(url)
    const { token } = system.person('alice')
    using stream = await client.stream({ token, query: replies })
    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 3 })
    expect((await client.call({ token, query: send })).body).toContain('SendMessageSuccess')
    await system.emulator.until({ held: 'pause' })

    signal(npm.pid)
    await until(
      async () => (await fetch(`${url}/health/ready`)).status === 503,
      'the gateway to drain',
    )
    await system.emulator.release()
    const [code] = await within(npm.exited, 'npm to end', 60_000)
    expect(code).toBe(0)
    expect(await stream.ended).toBe('closed')
    // A reader at another worker than the reply's is sent away at once.
    const isTold = stream.frames.some(({ data }) => data?.includes('ReplyCompleted'))
    expect(isTold || workers > 1).toBe(true)
    expect(await isListening(url)).toBe(false)
    // Nobody holds the store.
    await system.gateway.restart()
    using later = createClient(system.gateway.url)
    expect((await later.call({ token, query: lastReply })).body).toContain('COMPLETED')
  })

  it('F20: reaches the demo through npm, which leaves nothing behind', async () => {
    await using npm = runNpm('demo', ['--port', '0', '--data', ':memory:'])
    const [, url = ''] = await until(
      () => /(http:\/\/localhost:\d+)\/graphql/.exec(npm.output) ?? undefined,
      'the demo to listen',
      60_000,
    )
    expect(await isListening(url)).toBe(true)
    process.kill(npm.pid, 'SIGTERM')
    expect(await within(npm.exited, 'npm to end', 60_000)).toEqual([0, null])
    expect(await isListening(url)).toBe(false)
  })

  it('of Node for its inspector opens none', async () => {
    await using system = await startSystem()
    system.gateway.signal('SIGUSR1')
    await until(
      () => /SIGUSR1|Debugger listening/.test(system.gateway.output),
      'the signal to be noticed',
    )
    expect(system.gateway.output).not.toContain('Debugger listening')
    expect(await isListening(system.gateway.url)).toBe(true)
  })
})
