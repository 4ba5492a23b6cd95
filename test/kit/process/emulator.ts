import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import type { EmulatorState, WantedState } from '../../../src/emulator/state.ts'
import type { FaultInput } from '../../../src/emulator/faults.ts'
import type { EmulatorOptions } from '../../../src/emulator/options.ts'
import type { RoutePath } from '../../../src/emulator/routes.ts'
import { patienceMs } from './until.ts'

/** An OAuth service app whose public half an emulator knows. */
export interface TestApp {
  readonly appId: string
  readonly keyId: string
  readonly accountId: string
  readonly privateKeyPem: string
  readonly publicKeyPem: string
}

/** A Coze emulator in its own process. */
export interface RunningEmulator extends AsyncDisposable {
  readonly url: string
  /** `host:port`, the audience of its JWTs. */
  readonly host: string
  /** The next request to `path` meets these faults, all at once. */
  faults(path: RoutePath, ...faults: readonly FaultInput[]): Promise<void>
  /** The same for the next `times` requests. */
  repeatFaults(path: RoutePath, times: number, ...faults: readonly FaultInput[]): Promise<void>
  clearFaults(): Promise<void>
  state(): Promise<EmulatorState>
  /** Resolves once it is so; fails after `deadlineMs` (default 100,000). */
  until(wanted: WantedState, deadlineMs?: number): Promise<void>
  /** Releases what is held now, under one name or altogether. */
  release(name?: string): Promise<void>
  revokeTokens(): Promise<void>
  /** Restarts the platform: connections break, running chats are lost; what is stored stays. */
  restart(): Promise<void>
  /** Makes a conversation, or all, as if it had never been. */
  vanish(conversationId?: string): Promise<void>
  close(): Promise<void>
}

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** A new RSA key pair with names around it. */
export function createTestApp(names: Partial<Omit<TestApp, 'privateKeyPem'>> = {}): TestApp {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return {
    appId: 'app-1',
    keyId: 'key-1',
    accountId: 'account-1',
    privateKeyPem: privateKey,
    publicKeyPem: publicKey,
    ...names,
  }
}

/** What an emulator has to know of the app. */
export function publicPart({ appId, keyId, accountId, publicKeyPem }: TestApp) {
  return { appId, keyId, accountId, publicKeyPem }
}

/**
 * Starts the command `emulator`; it ends with its `close`, or with this process.
 *
 * @param program what takes the command, instead of `src/cli.ts`.
 */
export async function startEmulator(
  options: EmulatorOptions,
  { port = 0, program = cli }: { readonly port?: number; readonly program?: string } = {},
): Promise<RunningEmulator> {
  const child = spawn(process.execPath, [program, 'emulator', '--stdin', '--port', String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  child.stdin.write(`${JSON.stringify(options)}\n`)
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), exited.then(() => undefined)])
  if (first === undefined) throw new Error('the emulator ended before it listened')
  const { url } = JSON.parse(String(first[0])) as { url: string }
  // Connections of its own: those of the platform's callers break when it is restarted.
  const dispatcher = new Agent()

  async function call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) {
    const { statusCode, body: reply } = await request(`${url}/_emulator/${path}`, {
      method,
      dispatcher,
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    if (statusCode !== 200) throw new Error(`emulator: ${method} ${path}: ${statusCode} ${text}`)
    return JSON.parse(text) as unknown
  }

  async function repeatFaults(path: RoutePath, times: number, ...faults: readonly FaultInput[]) {
    await call('POST', 'faults', { path, times, faults })
  }

  async function close() {
    child.stdin.end()
    await exited
    await dispatcher.destroy()
  }

  return {
    url,
    host: new URL(url).host,
    faults: (path, ...faults) => repeatFaults(path, 1, ...faults),
    repeatFaults,
    async clearFaults() {
      await call('DELETE', 'faults')
    },
    state: async () => (await call('GET', 'state')) as EmulatorState,
    async until(wanted, deadlineMs = patienceMs) {
      const query = new URLSearchParams(
        Object.entries(wanted).map(([key, value]) => [key, String(value)]),
      )
      const waiting = await request(`${url}/_emulator/wait?${query.toString()}`, {
        dispatcher,
        signal: AbortSignal.timeout(deadlineMs),
      })
      const text = await waiting.body.text()
      if (waiting.statusCode !== 200) throw new Error(`emulator: no wait for ${text}`)
    },
    async release(name) {
      await call('POST', 'release', name === undefined ? {} : { name })
    },
    async revokeTokens() {
      await call('POST', 'revoke')
    },
    async restart() {
      await call('POST', 'restart')
    },
    async vanish(conversationId) {
      await call('POST', 'vanish', conversationId === undefined ? {} : { conversationId })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
