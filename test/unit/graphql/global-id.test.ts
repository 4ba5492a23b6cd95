import { describe, expect, it } from 'vitest'
import {
  decodeId,
  decodeRowCursor,
  encodeGlobal,
  encodeRowCursor,
} from '../../../src/graphql/global-id.ts'

const id = encodeGlobal('Reply', 'abc')
const plain = (text: string) => Buffer.from(text).toString('base64url')

describe('a global id', () => {
  it('names what it was made of, to its own type only', () => {
    expect(decodeId('Reply', id)).toBe('abc')
    expect(decodeId('Message', id)).toBeUndefined()
    expect(decodeRowCursor(encodeRowCursor('abc'))).toBe('abc')
    expect(decodeRowCursor(id)).toBeUndefined()
  })

  it.each([`${id}=`, ` ${id}`, `${id}\n`, `${id}!`, plain('Reply:'), plain('Reply'), '', 'abc'])(
    'has one spelling, and %j is none',
    (text) => {
      expect(decodeId('Reply', text)).toBeUndefined()
    },
  )
})
