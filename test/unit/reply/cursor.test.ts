import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { CursorCodec } from '../../../src/reply/cursor.ts'

const alice = new CursorCodec('key', 'alice' as SessionId)
const bob = new CursorCodec('key', 'bob' as SessionId)
const position = fc.record({ epoch: fc.nat(), seq: fc.nat() })

describe('cursor', () => {
  it('reads back every position it wrote', () => {
    fc.assert(
      fc.property(position, (at) => {
        expect(alice.parse(alice.encode(at))).toEqual(at)
      }),
    )
  })

  it("T2: does not read another session's cursor", () => {
    fc.assert(
      fc.property(position, (at) => {
        expect(bob.parse(alice.encode(at))).toBeUndefined()
      }),
    )
  })

  it("T2: does not read another installation's cursor", () => {
    const elsewhere = new CursorCodec('other key', 'alice' as SessionId)
    expect(elsewhere.parse(alice.encode({ epoch: 1, seq: 1 }))).toBeUndefined()
  })

  it.each(['', '.', 'x.1.2', '1.2', 'null', '../..', `${'9'.repeat(400)}`])(
    'refuses %j',
    (text) => {
      expect(alice.parse(text)).toBeUndefined()
    },
  )

  it('refuses a cursor with anything added or a number that is none', () => {
    const [tag] = alice.encode({ epoch: 1, seq: 2 }).split('.')
    for (const end of ['1.2 ', '1.-2', '1.2.3', '1.1e3', '1.', '1', '1.12345678901234567']) {
      expect(alice.parse(`${tag}.${end}`)).toBeUndefined()
    }
  })
})
