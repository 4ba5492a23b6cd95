import { readFileSync } from 'node:fs'
import { explainToken, type TokenFailure } from '../auth/explanation.ts'
import { claimsToBeGuest } from '../auth/guests.ts'
import type { Config } from '../config/config.ts'
import { systemClock } from '../lib/clock.ts'
import { errorCode } from '../lib/error-code.ts'
import { createFetchJson } from '../lib/fetch-json.ts'
import { UsageError } from './usage-error.ts'

/** Prints what the gateway finds when it looks at the token in a file; 1: it would refuse it. */
export async function runTokenExplanation(
  file: string,
  config: Config,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const token = readToken(file)
  if (claimsToBeGuest(token)) {
    await print(
      'The token is one that the gateway makes for guests. "guests.key" decides about it.\n',
    )
    return 1
  }
  const failures: string[] = []
  const { checks, caller } = await explainToken(token, {
    issuers: config.issuers,
    nameClaim: config.session.nameClaim,
    maxTokenLength: config.limits.maxCredentialBytes,
    clock: systemClock,
    fetchJson: createFetchJson(config.proxy),
    onFetchFailure({ host, kind, systemCode, httpStatus }) {
      const why = [kind, systemCode, httpStatus && `HTTP ${httpStatus}`].filter(Boolean).join(', ')
      failures.push(`the keys could not be fetched from ${host} (${why})`)
    },
  })
  const lines = checks.flatMap(({ name, failure }) =>
    failure === undefined ? [`pass  ${name}`] : [`FAIL  ${name}`, ...linesOf(failure)],
  )
  const end =
    caller === undefined
      ? ['The gateway refuses this token.', ...failures]
      : [
          'The gateway accepts this token. Its caller:',
          ...Object.entries({ ...caller, expiresAt: new Date(caller.expiresAt).toISOString() }).map(
            ([name, value]) => `  ${name.padEnd(12)}${JSON.stringify(value)}`,
          ),
        ]
  await print(`${[...lines, ...end].join('\n')}\n`)
  return caller === undefined ? 1 : 0
}

function linesOf({ message, claim, expected, found, settings }: TokenFailure): readonly string[] {
  const facts = {
    claim,
    found,
    expected: typeof expected === 'object' ? expected.join(' or ') : expected,
    setting: settings.join(', ') || undefined,
  }
  return [
    message,
    ...Object.entries(facts).flatMap(([name, fact]) =>
      fact === undefined ? [] : [`${name}: ${fact}`],
    ),
  ].map((line) => `      ${line}`)
}

/** People paste what they find in a header, with its scheme and line breaks. */
function readToken(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
      .replace(/^\ufeff/, '')
      .trim()
      .replace(/^(authorization: *)?bearer +/i, '')
  } catch (error) {
    throw new UsageError(`${file}: cannot be read${errorCode(error)}`)
  }
}
