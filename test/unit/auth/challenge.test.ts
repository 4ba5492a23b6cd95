import { describe, expect, it } from 'vitest'
import { createAuthenticator, type Authenticator } from '../../../src/auth/authenticator.ts'
import { UnauthenticatedError } from '../../../src/errors.ts'
import { apiKey } from '../../kit/credentials/api-keys.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const error = new UnauthenticatedError('The token has expired.')
const reason = 'error="invalid_token", error_description="The token has expired."'

function open(more: Partial<Parameters<typeof createAuthenticator>[0]> = {}): Authenticator {
  const fetchJson = () => Promise.reject(new Error('no test here fetches'))
  const clock = createFakeClock()
  return createAuthenticator({
    maxTokenLength: 15_360,
    issuers: [],
    clock,
    fetchJson,
    onFetchFailure: () => undefined,
    ...more,
  })
}

describe('a refusal', () => {
  it('says what is wrong with a credential, and nothing to who showed none', () => {
    using auth = open()
    expect(auth.challenge(error, new Headers())).toBe('Bearer')
    expect(auth.challenge(error, new Headers({ authorization: 'Bearer x' }))).toBe(
      `Bearer ${reason}`,
    )
  })

  it('lists the schemes that are taken, and names the one that was tried', () => {
    using auth = open({ apiKeys: [apiKey('one').settings] })
    expect(auth.challenge(error, new Headers())).toBe('Bearer, ApiKey')
    expect(auth.challenge(error, new Headers({ authorization: 'apikey x' }))).toBe(
      `Bearer, ApiKey ${reason}`,
    )
    auth.replaceApiKeys([])
    expect(auth.challenge(error, new Headers())).toBe('Bearer')
  })

  it('says what is wrong with a cookie where cookies are credentials', () => {
    const headers = new Headers({ cookie: '__Host-c=x' })
    using without = open()
    expect(without.challenge(error, headers)).toBe('Bearer')
    using auth = open({ cookie: { name: '__Host-c' } })
    expect(auth.challenge(error, headers)).toBe(`Bearer ${reason}`)
  })
})
