import type { Config } from '../config/config.ts'
import { warningsOf } from '../config/cross-checks.ts'
import { systemClock } from '../lib/clock.ts'
import { type Options, readWholeConfig, valueOf } from './options.ts'

/** Checks the configuration, and with it what the options ask for. Returns 1 if something is wrong. */
export async function runCheckConfig(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const config = await readWholeConfig(options)
  await print(`${summaryOf(config)}\n`)
  for (const warning of warningsOf(config, systemClock.now())) await print(`warning: ${warning}\n`)
  const tokenFile = valueOf(options, 'token')
  if (tokenFile !== undefined) {
    const { runTokenExplanation } = await import('./token-explanation.ts')
    const code = await runTokenExplanation(tokenFile, config, print)
    if (code !== 0) return code
  }
  if (options['online'] !== true) return 0
  const { runOnlineCheck } = await import('./online-check.ts')
  return await runOnlineCheck(config, print)
}

function summaryOf({ assistants, issuers, store, listen }: Config): string {
  const names = assistants.map(({ id, strategy }) => `${id} (${strategy})`).join(', ')
  const parties = issuers
    .map(({ issuer, keys }) => `${issuer} (${keys.map(({ type }) => type).join(', ')})`)
    .join(', ')
  return `OK: assistants ${names}; issuers ${parties}; ${store.engine} ${store.engine === 'sqlite' ? `in ${store.file}` : `at ${store.url}`}; ${listen.host}:${listen.port}`
}
