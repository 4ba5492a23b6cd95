import type { JWTPayload } from 'jose'
import type { IssuerSettings } from '../config/sections/issuer.ts'
import type { Caller } from '../domain.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { Refusal } from '../observe/refusals.ts'
import { isIdentifier, isSessionName, usableIdentifier } from './identifiers.ts'
import { matchTemplate } from '../domain/issuer-template.ts'

/** The rules for the claims of a token. */
export interface ClaimRules {
  readonly settings: IssuerSettings
  /** The claim that names the session, for the callers of this issuer. */
  readonly nameClaim: string | undefined
  /** ms since the epoch. */
  readonly now: number
}

/** One check of a token's claims. It throws an {@link UnauthenticatedError} that says what is wrong. */
export interface ClaimCheck {
  readonly name: string
  /** The setting of the issuer that decides. */
  readonly setting: string
  readonly check: (claims: JWTPayload, rules: ClaimRules) => unknown
}

/** Every check of the claims, in order. They require a verified signature. */
export const claimChecks: readonly ClaimCheck[] = [
  { name: 'expiry', setting: 'clockToleranceSeconds', check: checkExpiry },
  { name: 'start of validity', setting: 'clockToleranceSeconds', check: checkStart },
  { name: 'lifetime', setting: 'maxLifetimeSeconds', check: checkLifetime },
  { name: 'issuer template', setting: 'tenants', check: checkTemplate },
  { name: 'audience', setting: 'audience', check: checkAudience },
  { name: 'required claims', setting: 'requiredClaims', check: checkRequiredClaims },
  { name: 'subject', setting: 'subjectClaim', check: readSubject },
  { name: 'tenant', setting: 'tenantClaim', check: readTenant },
  { name: 'scopes', setting: 'scopesClaim', check: readScopes },
  { name: 'session name', setting: 'session.nameClaim', check: readSessionName },
]

/**
 * Returns the caller that the claims of a verified token name.
 * @throws {@link UnauthenticatedError} if a claim is missing or not accepted.
 */
export function toCaller(claims: JWTPayload, rules: ClaimRules): Caller {
  for (const { check } of claimChecks) check(claims, rules)
  const tenant = readTenant(claims, rules)
  const claimedName = readSessionName(claims, rules)
  return {
    kind: 'jwt',
    issuer: rules.settings.template ? String(claims.iss) : rules.settings.issuer,
    ...(tenant !== undefined && { tenant }),
    subject: readSubject(claims, rules),
    scopes: readScopes(claims, rules),
    expiresAt: (checkExpiry(claims, rules) + rules.settings.clockToleranceSeconds) * 1000,
    ...(claimedName !== undefined && { claimedName }),
  }
}

/** Returns the time in seconds. */
function checkExpiry({ exp }: JWTPayload, { settings, now }: ClaimRules): number {
  const { clockToleranceSeconds } = settings
  const expected = `a time in the future, in seconds, ${clockToleranceSeconds} of them forgiven`
  if (typeof exp !== 'number') return refuseClaim('exp', settings, expected)
  const endsAt = (exp + clockToleranceSeconds) * 1000
  if (!Number.isSafeInteger(Math.ceil(endsAt))) {
    const message = 'The expiry of the token cannot be used.'
    return refuse(message, settings, { claim: 'exp', expected: 'a time that a clock can show' })
  }
  if (endsAt <= now) refuse('The token has expired.', settings, { claim: 'exp', expected })
  return exp
}

function checkStart({ nbf }: JWTPayload, { settings, now }: ClaimRules): void {
  if (nbf === undefined) return
  const { clockToleranceSeconds } = settings
  if (typeof nbf !== 'number' || (nbf - clockToleranceSeconds) * 1000 > now) {
    const expected = `a time gone by, in seconds, ${clockToleranceSeconds} of them forgiven`
    refuseClaim('nbf', settings, expected)
  }
}

/** A stolen token is good until it expires, so one without a foreseeable end is refused. */
function checkLifetime({ exp, iat }: JWTPayload, { settings, now }: ClaimRules): void {
  if (typeof exp !== 'number') return
  if (iat !== undefined && typeof iat !== 'number') {
    return refuseClaim('iat', settings, 'a time, in seconds')
  }
  // The lifetime of a token whose `iat` is in the future is counted from now.
  const lifetimeSeconds = exp - Math.min(iat ?? Number.POSITIVE_INFINITY, now / 1000)
  const { maxLifetimeSeconds, clockToleranceSeconds } = settings
  if (lifetimeSeconds <= maxLifetimeSeconds + clockToleranceSeconds) return
  const expected = `at most ${maxLifetimeSeconds} seconds after iat (maxLifetimeSeconds)`
  refuse('The lifetime of the token is too long.', settings, { claim: 'exp', expected })
}

function checkTemplate(claims: JWTPayload, { settings }: ClaimRules): void {
  const { template } = settings
  if (template === undefined) return
  const value = matchTemplate(template, String(claims.iss))
  if (value === undefined || claims[template.claim] !== value) {
    refuseClaim(template.claim, settings, 'the value that stands in iss')
  }
  const { values } = template
  if (values !== undefined && !values.includes(value)) {
    const message = 'The tenant of the token is not accepted.'
    refuse(message, settings, { claim: template.claim, expected: values })
  }
}

function checkAudience({ aud }: JWTPayload, { settings }: ClaimRules): void {
  const { audience } = settings
  if (audience !== undefined && !namesOneOf(aud, audience)) refuseClaim('aud', settings, audience)
}

function checkRequiredClaims(claims: JWTPayload, { settings }: ClaimRules): void {
  for (const [name, accepted] of Object.entries(settings.requiredClaims)) {
    if (!namesOneOf(valueOf(claims, name), accepted)) refuseClaim(name, settings, accepted)
  }
}

/** Whether a claim is one of the values, or a list that has one of them. */
function namesOneOf(claim: unknown, accepted: readonly string[]): boolean {
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return values.some((value) => typeof value === 'string' && accepted.includes(value))
}

function readSubject(claims: JWTPayload, { settings }: ClaimRules): string {
  const subject = valueOf(claims, settings.subjectClaim)
  if (isIdentifier(subject)) return subject
  return refuseNamed('subject', settings.subjectClaim, settings, usableIdentifier)
}

function readTenant(claims: JWTPayload, { settings }: ClaimRules): string | undefined {
  const { tenantClaim } = settings
  if (tenantClaim === undefined) return undefined
  const tenant = valueOf(claims, tenantClaim)
  return isIdentifier(tenant)
    ? tenant
    : refuseNamed('tenant', tenantClaim, settings, usableIdentifier)
}

function readScopes(claims: JWTPayload, { settings }: ClaimRules): readonly string[] {
  const { scopesClaim } = settings
  const claim = valueOf(claims, scopesClaim)
  const list: unknown = typeof claim === 'string' ? claim.split(' ') : (claim ?? [])
  if (Array.isArray(list) && list.every((scope) => typeof scope === 'string')) {
    return list.filter((scope) => scope !== '')
  }
  const message = 'The scopes of the token are neither text nor a list of texts.'
  return refuse(message, settings, {
    claim: scopesClaim,
    expected: 'text with spaces, or a list of texts',
  })
}

function readSessionName(
  claims: JWTPayload,
  { settings, nameClaim }: ClaimRules,
): string | undefined {
  if (nameClaim === undefined) return undefined
  const name = valueOf(claims, nameClaim)
  return isSessionName(name)
    ? name
    : refuseNamed('session name', nameClaim, settings, '1 to 64 visible ASCII characters')
}

/** Returns undefined for inherited members, such as `constructor`. */
function valueOf(claims: JWTPayload, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** Names of claims that are safe in `WWW-Authenticate`. */
const safeInHeader = /^[\w.:/-]{1,64}$/

/** The claims are checked after the signature, so only the owner of the token learns their names. */
function refuseClaim(
  claim: string,
  settings: IssuerSettings,
  expected: string | readonly string[],
): never {
  const named = safeInHeader.test(claim) ? `The claim ${claim}` : 'A claim'
  refuse(`${named} of the token is missing or not accepted.`, settings, { claim, expected })
}

function refuseNamed(
  purpose: string,
  claim: string,
  settings: IssuerSettings,
  expected: string,
): never {
  const named = safeInHeader.test(claim) ? `, its claim ${claim},` : ''
  const message = `The ${purpose} of the token${named} is missing or cannot be used.`
  refuse(message, settings, { claim, expected })
}

function refuse(
  message: string,
  { issuer }: IssuerSettings,
  refusal: Pick<Refusal, 'claim' | 'expected'>,
): never {
  throw new UnauthenticatedError(message, { refusal: { issuer, ...refusal } })
}
