import type { Secret } from '../lib/secret.ts'
import { type CozeCall, callRules } from './calls.ts'
import type { WireRequest } from './wire.ts'

interface Addressed {
  readonly call: CozeCall
  readonly target: { readonly baseUrl: string; readonly token: Secret }
  readonly path: string
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>
}

/** Writes a call down as the HTTP request that makes it. */
export function createWireRequests(baseUrls: BaseUrls) {
  return (
    method: WireRequest['method'],
    request: Addressed,
    contentType: string,
    body: WireRequest['body'],
  ): WireRequest => {
    const { origin, prefix } = baseUrls.of(request.target.baseUrl)
    return {
      origin,
      path: `${prefix}${request.path}${searchOf(request.query)}`,
      method,
      connection: callRules[request.call].connection,
      headers: {
        authorization: `Bearer ${request.target.token.reveal()}`,
        accept: 'application/json, text/event-stream',
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      body,
    }
  }
}

function searchOf(query: Addressed['query']): string {
  if (query === undefined) return ''
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) given.set(name, value)
  }
  return given.size === 0 ? '' : `?${given.toString()}`
}

/** The parts of a base URL. */
export interface BaseUrl {
  readonly origin: string
  /** With its port, where that is not the usual one. */
  readonly host: string
  readonly hostname: string
  readonly port: number | undefined
  /** Before the path of each call; without a slash at its end. */
  readonly prefix: string
}

/** Reads each base URL once: there are as many as the configuration names. */
export interface BaseUrls {
  of(baseUrl: string): BaseUrl
}

export function createBaseUrls(): BaseUrls {
  const known = new Map<string, BaseUrl>()
  return {
    of(baseUrl) {
      let found = known.get(baseUrl)
      if (found === undefined) {
        found = readBaseUrl(baseUrl)
        known.set(baseUrl, found)
      }
      return found
    },
  }
}

function readBaseUrl(baseUrl: string): BaseUrl {
  const { origin, host, hostname, port, pathname } = new URL(baseUrl)
  return {
    origin,
    host,
    hostname,
    port: port === '' ? undefined : Number(port),
    prefix: pathname.replace(/\/$/, ''),
  }
}
