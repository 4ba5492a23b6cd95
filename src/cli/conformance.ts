import { exec } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { examine, rules, type RuleResult } from '../conformance/conformance.ts'
import { createTransports } from '../conformance/transport.ts'
import { type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

const defaultText = 'Count from one to forty, in words.'

/** Examines a running gateway. Returns 1 where it violates a MUST of the protocol. */
export async function runConformance(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const url = readUrl(valueOf(options, 'url'))
  const token = readToken(options, 'token-file')
  if (token === undefined) throw new UsageError('--token-file is needed')
  const drainCommand = valueOf(options, 'drain-command')
  const assistantId = valueOf(options, 'assistant')
  const stop = new AbortController()
  const listener = () => stop.abort(new UsageError('stopped by a signal'))
  process.once('SIGINT', listener).once('SIGTERM', listener)
  // oxlint-disable-next-line no-restricted-globals -- the command is a client of the gateway like any other
  const { fetch } = globalThis
  const results = examine(
    rules,
    {
      url,
      transports: createTransports(url, fetch),
      token,
      otherToken: readToken(options, 'other-token-file'),
      expiringToken: readToken(options, 'expiring-token-file'),
      drain:
        drainCommand === undefined
          ? undefined
          : async () => void (await promisify(exec)(drainCommand)),
      message: {
        text: valueOf(options, 'text') ?? defaultText,
        ...(assistantId !== undefined && { assistantId }),
      },
      fetch,
      random: Math.random,
      newKey: randomUUID,
      sleep: (ms) => delay(ms, undefined, { signal: stop.signal }),
    },
    stop.signal,
  )
  const seen: RuleResult[] = []
  for await (const result of results) {
    seen.push(result)
    await print(lineOf(result))
  }
  const violated = seen.filter(({ outcome }) => outcome === 'VIOLATED')
  const count = (outcome: RuleResult['outcome']) =>
    seen.filter((one) => one.outcome === outcome).length
  await print(
    `\n${count('HOLDS')} hold, ${violated.length} violated, ${count('NOT_TESTED')} not tested\n`,
  )
  return violated.some(({ rule }) => rule.level === 'MUST') ? 1 : 0
}

function lineOf({ rule, outcome, reason }: RuleResult): string {
  const { id, level, sentence } = rule
  const words = { HOLDS: 'holds', VIOLATED: 'VIOLATED', NOT_TESTED: 'not tested' } as const
  const why = { HOLDS: '', VIOLATED: `      ${reason}\n`, NOT_TESTED: `      needs ${reason}\n` }
  return `${id.padEnd(4)}  ${level.padEnd(6)}  ${words[outcome].padEnd(10)}  ${sentence}\n${why[outcome]}`
}

function readUrl(text: string | undefined): URL {
  const url = URL.parse(text ?? '')
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(
      `--url must be a URL such as https://gateway.example.com/graphql, got ${text ?? 'none'}`,
    )
  }
  return url.pathname === '/' ? new URL('/graphql', url) : url
}

function readToken(options: Options, name: string): string | undefined {
  const file = valueOf(options, name)
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}
