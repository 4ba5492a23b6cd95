import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { freePort } from './free-port.ts'

const program = '/usr/bin/redis-server'

export const hasRedis = (): boolean => existsSync(program)

/** A Redis server of its own, with nothing on disk; ended when it is disposed of. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** Runs a command as the default user of the server. */
  command(...args: readonly string[]): Promise<unknown>
  /** Every key, and its value as text. */
  contents(): Promise<ReadonlyMap<string, string>>
  /** Ends it as a crash does: it forgets everything. */
  crash(): Promise<void>
  start(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export async function startRedis(
  settings: readonly string[] = [],
  { isSentinel = false } = {},
): Promise<RedisServer> {
  if (!hasRedis()) throw new Error('Redis is not here: apt-get install -y redis-server')
  const home = await mkdtemp(join(tmpdir(), 'gateway-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', home]
  const given = [...common, ...(isSentinel ? [] : ['--save', ''])]
  // A sentinel writes down what it finds out.
  const config = join(home, 'redis.conf')
  await writeFile(config, '')
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    const mode = isSentinel ? ['--sentinel'] : []
    server = spawn(program, [config, ...given, ...settings, ...mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await untilReady(server)
  }

  async function crash(): Promise<void> {
    if (server === undefined) return
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
    server = undefined
  }

  async function command(...args: readonly string[]): Promise<unknown> {
    const client = createClient({ url })
    client.on('error', () => {})
    await client.connect()
    try {
      return await client.sendCommand(args)
    } finally {
      client.destroy()
    }
  }

  await start()
  return {
    port,
    url,
    start,
    crash,
    command,
    async contents() {
      const keys = (await command('KEYS', '*')) as string[]
      const values = await Promise.all(keys.map((key) => valueOf(key)))
      return new Map(keys.map((key, index) => [key, JSON.stringify(values[index])]))
    },
    signal: (signal) => void server?.kill(signal),
    async [Symbol.asyncDispose]() {
      await crash()
      await rm(home, { recursive: true, force: true })
    },
  }

  async function valueOf(key: string): Promise<unknown> {
    const type = await command('TYPE', key)
    if (type === 'hash') return await command('HGETALL', key)
    if (type === 'zset') return await command('ZRANGE', key, '0', '-1', 'WITHSCORES')
    return await command('GET', key)
  }
}

function untilReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    server.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (/Ready to accept connections|Sentinel ID/.test(said)) resolve()
    })
    server.once('exit', () => reject(new Error(`Redis does not start:\n${said}`)))
  })
}
