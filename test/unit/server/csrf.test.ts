import { describe, expect, it } from 'vitest'
import { ForbiddenError } from '../../../src/errors.ts'
import { checkCookieAnswer, checkCookieRequest } from '../../../src/server/csrf.ts'
import { fromFetchRequest } from '../../../src/server/fetch/fetch.ts'
import type { HttpRequest } from '../../../src/server/http.ts'

const ours = 'https://app.example.com'
const pages = { isAllowed: ({ headers }: HttpRequest) => headers.get('origin') === ours }
const json = { 'content-type': 'application/json; charset=utf-8' }

function isRefused(check: typeof checkCookieRequest, method: string, lines: object): boolean {
  const headers = new Headers(Object.entries(lines))
  const request = {
    ...fromFetchRequest(new Request('https://g.example.com/graphql')),
    method,
    headers,
  }
  try {
    check(request, pages)
    return false
  } catch (error) {
    expect(error).toBeInstanceOf(ForbiddenError)
    return true
  }
}

describe('a request with a cookie (T11)', () => {
  it.each([
    ['of our own page', 'POST', { 'sec-fetch-site': 'same-origin', ...json }, false],
    ['that somebody typed', 'GET', { 'sec-fetch-site': 'none' }, false],
    [
      'of a configured origin',
      'POST',
      { origin: ours, 'sec-fetch-site': 'cross-site', ...json },
      false,
    ],
    ['of another site', 'POST', { 'sec-fetch-site': 'cross-site', ...json }, true],
    ['of another host of the site', 'POST', { 'sec-fetch-site': 'same-site', ...json }, true],
    [
      'of another origin, from an old browser',
      'POST',
      { origin: 'https://evil.example', ...json },
      true,
    ],
    ['of an opaque origin', 'POST', { origin: 'null', ...json }, true],
    ['of no browser, which never says so', 'POST', json, true],
    ['of another site, for a stream by GET', 'GET', { 'sec-fetch-site': 'cross-site' }, true],
    [
      'with a form',
      'POST',
      { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' },
      true,
    ],
    ['without a type', 'POST', { 'sec-fetch-site': 'same-origin' }, true],
    [
      'with a form, and a header that its browser asked for',
      'POST',
      {
        'sec-fetch-site': 'same-origin',
        'content-type': 'multipart/form-data; boundary=x',
        'graphql-require-preflight': '1',
      },
      false,
    ],
  ] as const)('%s: %s %j is refused: %s', (_what, method, lines, refused) => {
    expect(isRefused(checkCookieRequest, method, lines)).toBe(refused)
  })
})

describe('a request whose answer may set a cookie (T11)', () => {
  it.each([
    ['of our own page', { 'sec-fetch-site': 'same-origin' }, false],
    ['of a configured origin', { origin: ours }, false],
    ['of no browser', {}, false],
    ['of another site', { 'sec-fetch-site': 'cross-site' }, true],
    ['of another origin', { origin: 'https://evil.example' }, true],
  ] as const)('%s: %j is refused: %s', (_what, lines, refused) => {
    expect(isRefused(checkCookieAnswer, 'POST', lines)).toBe(refused)
  })
})
