import type { JWTPayload } from 'jose'
import type { Caller } from '../domain.ts'
import { GatewayError } from '../errors.ts'
import {
  checkHeader,
  readToken,
  verifySignature,
  type ReadToken,
  type TokenVerifierOptions,
} from './bearer-tokens.ts'
import { claimChecks, toCaller } from './claims.ts'
import { openIssuers } from './issuers.ts'

/** The checks of one token and their results. It contains values of the token, so only the owner of the token may see it. */
export interface TokenExplanation {
  /** The checks in the gateway's order. After a failed check the others are still made if possible. */
  readonly checks: readonly TokenCheck[]
  /** The caller of the token. Undefined if a check failed. */
  readonly caller?: Caller | undefined
}

export interface TokenCheck {
  readonly name: string
  /** Undefined: the check passed. */
  readonly failure?: TokenFailure | undefined
}

export interface TokenFailure {
  readonly message: string
  readonly claim?: string | undefined
  readonly expected?: string | readonly string[] | undefined
  /** The value of the claim, as JSON. */
  readonly found?: string | undefined
  /** The settings that decide, such as `issuers[0].audience`. */
  readonly settings: readonly string[]
}

const maxFoundLength = 200

/** Makes every check of a bearer token, instead of ending at the first that fails. */
export async function explainToken(
  text: string,
  options: TokenVerifierOptions,
): Promise<TokenExplanation> {
  using issuers = openIssuers(options)
  const checks: TokenCheck[] = []
  let token: ReadToken | undefined

  /** Returns undefined if the check failed. */
  async function attempt<T>(
    name: string,
    settings: readonly string[],
    check: () => T | Promise<T>,
  ): Promise<{ readonly result: T } | undefined> {
    try {
      const result = await check()
      checks.push({ name })
      return { result }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const { claim, expected } = error.refusal ?? {}
      const found = claim === undefined ? undefined : foundIn(token, claim)
      checks.push({ name, failure: { message: error.message, claim, expected, found, settings } })
      return undefined
    }
  }

  const read = await attempt('form', ['limits.maxCredentialBytes'], () => readToken(text, options))
  if (read === undefined) return { checks }
  token = read.result
  const { claims } = token
  const found = await attempt('issuer', ['issuers[].issuer'], () => issuers.find(claims))
  if (found === undefined) return { checks }
  const issuer = found.result
  const path = `issuers[${options.issuers.indexOf(issuer.settings)}]`
  await attempt('header', [], () => checkHeader(read.result, issuer))
  const keySettings = [`${path}.algorithms`, `the keys of ${path}`]
  await attempt('signature', keySettings, () => verifySignature(read.result, issuer))
  const rules = issuer.rules()
  for (const { name, setting, check } of claimChecks) {
    const settings = [setting.includes('.') ? setting : `${path}.${setting}`]
    await attempt(name, settings, () => check(claims, rules))
  }
  const isAccepted = checks.every(({ failure }) => failure === undefined)
  return { checks, caller: isAccepted ? toCaller(claims, rules) : undefined }
}

function foundIn(token: ReadToken | undefined, claim: string): string {
  const parts: readonly (JWTPayload | undefined)[] = [token?.claims, token?.header]
  const part = parts.find((each) => each !== undefined && Object.hasOwn(each, claim))
  const value: unknown = part?.[claim]
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, maxFoundLength)
}
