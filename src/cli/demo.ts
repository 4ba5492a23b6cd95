import { processEnvironment } from '../config/config.ts'
import { timeoutsSchema } from '../config/sections/timeouts.ts'
import { runDemo } from '../demo/demo.ts'
import { dialectNames } from '../emulator/options.ts'
import { createLogger } from '../observe/log.ts'
import { findLeak, leakNames, tellLeakStory } from './leak-story.ts'
import { watchProcess } from './lifetime.ts'
import { type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Runs the demo until a signal stops it, and returns the exit code. */
export async function runDemoCommand(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const isProduction = processEnvironment()['NODE_ENV'] === 'production'
  if (isProduction && options['allow-production'] !== true) {
    throw new UsageError(
      'the demo lets everybody sign in, so it does not start where NODE_ENV is "production"',
    )
  }
  const port = parsePort(valueOf(options, 'port') ?? '4000')
  const dialect = dialectNames.find((name) => name === (options['dialect'] ?? 'cloud'))
  if (dialect === undefined) {
    throw new UsageError(`--dialect must be one of ${dialectNames.join(', ')}`)
  }
  const leakName = valueOf(options, 'leak')
  const leak = leakName === undefined ? undefined : findLeak(leakName)
  if (leakName !== undefined && leak === undefined) {
    throw new UsageError(`--leak must be one of ${leakNames.join(', ')}`)
  }
  // The story of a leak prints its breaches, so the log would repeat them.
  const logger = createLogger({ level: leak === undefined ? 'warn' : 'silent' })
  using lifetime = watchProcess(logger, timeoutsSchema.parse({}).drainMs)
  const host = valueOf(options, 'host') ?? '127.0.0.1'
  if (isProduction || !isLoopback(host)) {
    logger.warn({ host }, 'the demo is open: whoever reaches it can sign in as anybody')
  }
  await using demo = await runDemo({
    host,
    port,
    // The verdicts of a leak must not be kept for the next demo.
    file: valueOf(options, 'data') ?? (leak === undefined ? 'data/demo.db' : ':memory:'),
    dialect,
    leak,
    logger,
  })
  await print(demo.welcome)
  if (leakName === undefined) return await lifetime.end
  const ended = new AbortController()
  const end = lifetime.end.finally(() => ended.abort(new Error('the demo has ended')))
  await tellLeakStory(leakName, demo, print, ended.signal).catch((error: unknown) => {
    if (!ended.signal.aborted) throw error
  })
  return await end
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new UsageError(`--port must be a number from 0 to 65535, got ${text}`)
}
