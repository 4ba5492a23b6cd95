import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { until, within } from './until.ts'

const program = '/usr/sbin/haproxy'

export function hasHaproxy(): boolean {
  return existsSync(program)
}

/** An HAProxy in a process of its own. */
export interface Haproxy extends AsyncDisposable {
  readonly url: string
}

/** @param configOf the configuration that listens on a port of loopback */
export async function startHaproxy(configOf: (port: number) => string): Promise<Haproxy> {
  if (!hasHaproxy()) throw new Error('HAProxy is not here: apt-get install -y haproxy')
  const folder = await mkdtemp(join(tmpdir(), 'haproxy-'))
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, configOf(port))
  const proxy = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [proxy.stdout, proxy.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const isListening = () => {
    if (proxy.exitCode !== null) throw new Error(`HAProxy does not start:\n${said}`)
    return accepts(port)
  }
  await until(isListening, 'HAProxy to listen', 20_000)
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      if (proxy.exitCode === null && proxy.signalCode === null) {
        const ended = once(proxy, 'exit')
        proxy.kill('SIGKILL')
        await within(ended, 'HAProxy to end')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
  } finally {
    socket.destroy()
  }
}
