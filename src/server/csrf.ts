import { ForbiddenError } from '../errors.ts'
import { mediaTypes } from './accept.ts'
import type { HttpRequest } from './http.ts'

/** Any value shows that the browser sent a preflight request: a page cannot send this header to another site without it. */
export const preflightHeader = 'graphql-require-preflight'

/** Decides which pages are trusted. */
export interface TrustedPages {
  isAllowed(request: HttpRequest): boolean
}

/**
 * Refuses requests that a page of another site may have made a browser send with its cookie (T11). Streams by GET are
 * refused too, since the page could read their events.
 * @throws {@link ForbiddenError}
 */
export function checkCookieRequest(request: HttpRequest, pages: TrustedPages): void {
  if (pageOf(request, pages) !== 'ours') {
    throw new ForbiddenError(
      'A cookie is accepted only from pages of this site or of a configured origin.',
    )
  }
  if (request.method !== 'POST' || isJson(request)) return
  if (request.headers.get(preflightHeader) == null) {
    throw new ForbiddenError(
      `With a cookie, a body that is not JSON needs the header ${preflightHeader}.`,
    )
  }
}

/**
 * Refuses requests that a page of another site sends without a cookie: the response may set a cookie, and so sign the visitor
 * in or out.
 * @throws {@link ForbiddenError}
 */
export function checkCookieAnswer(request: HttpRequest, pages: TrustedPages): void {
  if (pageOf(request, pages) === 'foreign') {
    throw new ForbiddenError(
      'Only pages of this site or of a configured origin may send this request.',
    )
  }
}

/** `unknown`: no current browser sent it. */
function pageOf(request: HttpRequest, pages: TrustedPages): 'ours' | 'foreign' | 'unknown' {
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none' || pages.isAllowed(request)) return 'ours'
  return site == null && request.headers.get('origin') == null ? 'unknown' : 'foreign'
}

function isJson({ headers }: HttpRequest): boolean {
  const [type = ''] = (headers.get('content-type') ?? '').toLowerCase().split(';')
  return type.trim() === mediaTypes.json
}
