import { bearerTokenOf, type RequestHeaders } from '../auth/authenticator.ts'
import type { GuestPass } from '../auth/guests.ts'
import type { Identity } from '../auth/identity.ts'
import type { CookieSettings } from '../config/sections/cookie.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import { BadRequestError, MethodNotAllowedError, UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import { clientAddress } from './client-address.ts'
import type { Cors } from './cors.ts'
import { checkCookieAnswer, checkCookieRequest } from './csrf.ts'
import type { HeapGuard } from './heap-guard.ts'
import { jsonAnswer, type Answer, type Incoming } from './http.ts'
import { createRequestTimer } from './request-timer.ts'

/** As much of an authenticator as the door needs. */
export interface DoorAuthenticator {
  /** Undefined: no credential is presented. One that is refused throws. */
  authenticate(headers: RequestHeaders): Promise<Identity | undefined>
  /** The `WWW-Authenticate` header of a refusal. */
  challenge(error: UnauthenticatedError, headers: RequestHeaders): string
}

/** How often something may be done. */
export interface Limiter {
  /** @throws {@link RateLimitedError} */
  take(key: string): Promise<void>
}

/** Where guests get their tokens. */
export interface GuestDesk {
  issue(subject?: string): Promise<GuestPass>
  /** Keyed by client address. */
  readonly perAddress: Limiter
  /** All together, under one key. */
  readonly inAll: Limiter
}

export interface WaysInOptions {
  readonly authenticator: DoorAuthenticator
  /** Undefined: there are no cookies. */
  readonly cookie?: CookieSettings | undefined
  /** Undefined: there are no guests. */
  readonly guests?: GuestDesk | undefined
  /** Proxies before us whose `X-Forwarded-For` is believed. Default 0. */
  readonly trustProxy?: number
  readonly cors: Cors
  readonly clock: Clock
  readonly timeouts: Pick<Timeouts, 'requestMs'>
  /** Undefined: nothing is watched. */
  readonly heap?: HeapGuard | undefined
}

/** How callers get in otherwise than by a header of their own: undefined for other paths, and for ways that are closed. */
export type WaysIn = (incoming: Incoming) => Promise<Answer> | undefined

/** Nothing is asked for in a body; one that comes along is read so that the connection can be kept. */
const maxBodyBytes = 1_024
/** Browsers drop cookies of more than 4 KiB, their names and attributes included, without a word. */
const maxCookieTokenLength = 3_800

export function createWaysIn(options: WaysInOptions): WaysIn {
  const { authenticator, cookie, guests, trustProxy = 0, cors, clock, heap } = options
  const inTime = createRequestTimer(clock, options.timeouts)

  return (incoming) => {
    if (incoming.route === 'cookie' && cookie) return answerCookie(incoming, cookie)
    if (incoming.route === 'guest' && guests) return answerGuest(incoming, guests)
    return undefined
  }

  async function answerCookie(incoming: Incoming, settings: CookieSettings): Promise<Answer> {
    const { method } = incoming
    if (method === 'OPTIONS') return cors.preflight(incoming)
    if (method !== 'POST' && method !== 'DELETE') {
      throw new MethodNotAllowedError('Use POST or DELETE.')
    }
    checkCookieAnswer(incoming, cors)
    // An expired cookie must go, too, so leaving needs no credential.
    if (method === 'DELETE') return emptyAnswer(clearCookie(settings))

    heap?.check()
    // What the old cookie says does not matter: it is replaced.
    const identity = await authenticator.authenticate(withoutCookies(incoming.headers))
    if (identity === undefined) throw new UnauthenticatedError('A bearer token is needed.')
    const token = bearerTokenOf(incoming.headers)
    if (token === undefined) throw new BadRequestError('Only a bearer token goes into a cookie.')
    if (token.length > maxCookieTokenLength) {
      throw new BadRequestError('The token is too large for a cookie.')
    }
    await inTime(incoming.readBody(maxBodyBytes))
    return emptyAnswer(setCookie(settings, token, identity.caller.expiresAt))
  }

  async function answerGuest(incoming: Incoming, desk: GuestDesk): Promise<Answer> {
    const { method } = incoming
    if (method === 'OPTIONS') return cors.preflight(incoming)
    if (method !== 'POST') throw new MethodNotAllowedError('Use POST.')
    heap?.check()
    const subject = await knownGuest(incoming)
    await desk.perAddress.take(clientAddress(incoming, trustProxy))
    await desk.inAll.take('guests')
    await inTime(incoming.readBody(maxBodyBytes))
    const { token, expiresAt } = await desk.issue(subject)
    return jsonAnswer(
      200,
      { token, expiresAt: new Date(expiresAt).toISOString() },
      cookie && { 'set-cookie': setCookie(cookie, token, expiresAt) },
    )
  }

  /** Undefined: nobody yet. A credential that is refused makes nobody a new guest. */
  async function knownGuest(incoming: Incoming): Promise<string | undefined> {
    const identity = await authenticator.authenticate(incoming.headers)
    if (identity?.by === 'cookie') checkCookieRequest(incoming, cors)
    else if (cookie) checkCookieAnswer(incoming, cors)
    if (identity === undefined) return undefined
    const { kind, subject } = identity.caller
    if (kind !== 'guest') throw new BadRequestError('Who is signed in already is no guest.')
    return subject
  }

  function setCookie({ name, sameSite }: CookieSettings, token: string, expiresAt: number): string {
    const maxAge = Math.max(Math.floor((expiresAt - clock.now()) / 1000), 0)
    return `${name}=${token}; Max-Age=${maxAge}; ${attributesOf(sameSite)}`
  }
}

function clearCookie({ name, sameSite }: CookieSettings): string {
  return `${name}=; Max-Age=0; ${attributesOf(sameSite)}`
}

function attributesOf(sameSite: CookieSettings['sameSite']): string {
  return `Path=/; HttpOnly; Secure; SameSite=${sameSite === 'lax' ? 'Lax' : 'Strict'}`
}

function emptyAnswer(cookie: string): Answer {
  return { status: 204, headers: { 'set-cookie': cookie } }
}

function withoutCookies(headers: RequestHeaders): RequestHeaders {
  return { get: (name) => (name === 'cookie' ? undefined : headers.get(name)) }
}
