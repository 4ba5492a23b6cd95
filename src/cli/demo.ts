import { timeoutsSchema } from '../config/sections/timeouts.ts'
import { runDemo } from '../demo/demo.ts'
import { findLeak, leakNames } from '../demo/leaks.ts'
import { dialectNames } from '../emulator/options.ts'
import { createLogger } from '../observe/log.ts'
import { tellLeakStory } from './leak-story.ts'
import { watchProcess } from './lifetime.ts'
import { readLocalAddress } from './local-only.ts'
import { type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Runs the demo until a signal stops it, and returns the exit code. */
export async function runDemoCommand(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const { host, port, warning } = readLocalAddress(options, {
    name: 'the demo',
    defaultPort: '4000',
  })
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
  if (warning !== undefined) logger.warn({ host }, warning)
  await using demo = await runDemo({
    host,
    port,
    // The verdicts of a leak must not be kept for the next demo.
    file: valueOf(options, 'data') ?? (leak === undefined ? 'data/demo.db' : ':memory:'),
    dialect,
    leak,
    origin: valueOf(options, 'origin'),
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
