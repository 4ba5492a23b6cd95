import { processEnvironment } from '../config/config.ts'
import { type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Where a command listens that lets everybody sign in. */
export interface LocalAddress {
  readonly host: string
  readonly port: number
  /** The sentence for the operator of a command that others can reach; undefined: nobody else can. */
  readonly warning: string | undefined
}

/**
 * Reads `--host`, `--port` and `--allow-production` of a command that is for one machine.
 * @throws {@link UsageError} in production, where nothing else allows it
 */
export function readLocalAddress(
  options: Options,
  { name, defaultPort }: { readonly name: string; readonly defaultPort: string },
): LocalAddress {
  const isProduction = processEnvironment()['NODE_ENV'] === 'production'
  if (isProduction && options['allow-production'] !== true) {
    throw new UsageError(
      `${name} lets everybody sign in, so it does not start where NODE_ENV is "production"`,
    )
  }
  const host = valueOf(options, 'host') ?? '127.0.0.1'
  const port = parsePort(valueOf(options, 'port') ?? defaultPort)
  const isOpen = isProduction || !isLoopback(host)
  const warning = isOpen ? `${name} is open: whoever reaches it can sign in as anybody` : undefined
  return { host, port, warning }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new UsageError(`--port must be a number from 0 to 65535, got ${text}`)
}
