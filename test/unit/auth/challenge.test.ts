import { expect, it } from 'vitest'
import { challengeOf } from '../../../src/auth/caller.ts'
import { UnauthenticatedError } from '../../../src/errors.ts'

it('a refusal says what is wrong with a credential, and nothing to who showed none', () => {
  const error = new UnauthenticatedError('The token has expired.')
  expect(challengeOf(error, new Headers())).toBe('Bearer')
  expect(challengeOf(error, new Headers({ authorization: 'Bearer x' }))).toBe(
    'Bearer error="invalid_token", error_description="The token has expired."',
  )
})
