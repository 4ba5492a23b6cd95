import { bearerTokenOf, type RequestHeaders } from '../auth/authenticator.ts'
import type { GuestPass } from '../auth/guests.ts'
import type { Identity } from '../auth/identity.ts'
import type { CookieSettings } from '../config/sections/cookie.ts'
import type { Timeouts } from '../config/sections/timeouts.ts'
import { BadRequestError, UnauthenticatedError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import { clientAddress } from './client-address.ts'
import type { Cors } from './cors.ts'
import { checkCookieAnswer, checkCookieRequest } from './csrf.ts'
import type { LoadShedder } from './load-shedding.ts'
import { jsonResponse } from './http.ts'
import type { HttpResponse, HttpRequest } from './http.ts'
import type { Routes } from './request-handler.ts'
import { createRequestTimer } from './request-timer.ts'

/** The part of an authenticator that the server needs. */
export interface RequestAuthenticator {
  /** Returns undefined if no credential is presented. @throws for a credential that is refused */
  authenticate(headers: RequestHeaders): Promise<Identity | undefined>
  /** The `WWW-Authenticate` header of a refusal. */
  challenge(error: UnauthenticatedError, headers: RequestHeaders): string
}

/** Limits how often something is done. */
export interface Limiter {
  /** @throws {@link RateLimitedError} */
  take(key: string): Promise<void>
}

/** Gives tokens to guests. */
export interface GuestIssuer {
  issue(subject?: string): Promise<GuestPass>
  /** Keyed by client address. */
  readonly perAddress: Limiter
  /** All guests together, under one key. */
  readonly inAll: Limiter
}

export interface SignInOptions {
  readonly authenticator: RequestAuthenticator
  /** Requests for these routes, keyed by client address. */
  readonly signIns: Limiter
  /** Undefined: there are no cookies. */
  readonly cookie?: CookieSettings | undefined
  /** Undefined: there are no guests. */
  readonly guests?: GuestIssuer | undefined
  /** The number of proxies in front whose `X-Forwarded-For` is trusted. */
  readonly trustProxy: number
  readonly cors: Cors
  readonly clock: Clock
  readonly timeouts: Pick<Timeouts, 'requestMs'>
  readonly load: LoadShedder
}

/** These routes need no body. A body is read all the same, so that the connection can be kept. */
const maxBodyBytes = 1_024
/** Browsers silently drop cookies of more than 4 KiB, name and attributes included. */
const maxCookieTokenLength = 3_800

/** The routes for signing in by cookie and as a guest. Only what is configured has a route. */
export function createSignInRoutes(options: SignInOptions): Pick<Routes, 'cookie' | 'guest'> {
  const { authenticator, cookie, guests, trustProxy, cors, clock, load } = options
  const inTime = createRequestTimer(clock, options.timeouts)
  /** Counts a request before its credential is checked, since checking a signature is expensive. */
  const limited =
    (handle: (request: HttpRequest) => Promise<HttpResponse>) => async (request: HttpRequest) => {
      await options.signIns.take(clientAddress(request, trustProxy))
      return await handle(request)
    }
  return {
    ...(cookie && {
      cookie: {
        methods: ['POST', 'DELETE'],
        handle: limited((request) => moveToCookie(request, cookie)),
      },
    }),
    ...(guests && {
      guest: { methods: ['POST'], handle: limited((request) => admitGuest(request, guests)) },
    }),
  }

  async function moveToCookie(
    request: HttpRequest,
    settings: CookieSettings,
  ): Promise<HttpResponse> {
    checkCookieAnswer(request, cors)
    // Signing out needs no credential, so that an expired cookie can be removed, too.
    if (request.method === 'DELETE') return emptyResponse(clearCookie(settings))

    load.check()
    // The old cookie is ignored, since it is replaced.
    const identity = await authenticator.authenticate(withoutCookies(request.headers))
    if (identity === undefined) throw new UnauthenticatedError('A bearer token is needed.')
    const token = bearerTokenOf(request.headers)
    if (token === undefined)
      throw new BadRequestError('Only a bearer token can be stored in a cookie.')
    if (token.length > maxCookieTokenLength) {
      throw new BadRequestError('The token is too large for a cookie.')
    }
    await inTime(request.readBody(maxBodyBytes))
    return emptyResponse(setCookie(settings, token, identity.caller.expiresAt))
  }

  async function admitGuest(request: HttpRequest, issuer: GuestIssuer): Promise<HttpResponse> {
    load.check()
    const subject = await knownGuest(request)
    await issuer.perAddress.take(clientAddress(request, trustProxy))
    await issuer.inAll.take('guests')
    await inTime(request.readBody(maxBodyBytes))
    const { token, expiresAt } = await issuer.issue(subject)
    return jsonResponse(
      200,
      { token, expiresAt: new Date(expiresAt).toISOString() },
      cookie && { 'set-cookie': setCookie(cookie, token, expiresAt) },
    )
  }

  /** Returns undefined for a caller without a credential. A refused credential does not make its caller a new guest. */
  async function knownGuest(request: HttpRequest): Promise<string | undefined> {
    const identity = await authenticator.authenticate(request.headers)
    if (identity?.by === 'cookie') checkCookieRequest(request, cors)
    else if (cookie) checkCookieAnswer(request, cors)
    if (identity === undefined) return undefined
    const { kind, subject } = identity.caller
    if (kind !== 'guest')
      throw new BadRequestError('A caller that is already signed in cannot become a guest.')
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

function emptyResponse(cookie: string): HttpResponse {
  return { status: 204, headers: { 'set-cookie': cookie } }
}

function withoutCookies(headers: RequestHeaders): RequestHeaders {
  return { get: (name) => (name === 'cookie' ? undefined : headers.get(name)) }
}
