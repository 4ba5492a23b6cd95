import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Position, ReplyId, SessionId } from '../../../src/domain.ts'
import { createRandomIds } from '../../../src/lib/id.ts'
import { CursorCodec } from '../../../src/reply/cursor.ts'

const alice = new CursorCodec('key', 'alice' as SessionId)
const bob = new CursorCodec('key', 'bob' as SessionId)

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.split('')
const base64url = [...letters, '0', '9', '-', '_']
const code = (length: number) =>
  fc
    .array(fc.constantFrom(...base64url), { minLength: length, maxLength: length })
    .map((all) => all.join(''))
const check = fc.tuple(fc.constantFrom(...letters), code(4)).map((parts) => parts.join(''))
const text = fc.record({
  replyId: code(22).map((id) => id as ReplyId),
  revision: fc
    .tuple(
      code(4),
      fc.nat().map((n) => n.toString(36)),
    )
    .map((parts) => parts.join('')),
  answer: fc.nat(),
  reasoning: fc.nat(),
})
const texts = fc.array(text, { maxLength: 4 })
const position: fc.Arbitrary<Position> = fc.oneof(
  fc.record({ seq: fc.integer({ min: 1 }), check, texts }),
  fc.record({ seq: fc.constant(0), check: fc.constant(''), texts }),
)
const beginning: Position = { seq: 0, check: '', texts: [] }

describe('cursor', () => {
  it('reads back every position it wrote', () => {
    fc.assert(
      fc.property(position, (at) => {
        expect(alice.parse(alice.encode(at))).toEqual(at)
      }),
    )
  })

  it('has less than 200 characters while one reply runs', () => {
    const newId = createRandomIds()
    const reply = { replyId: newId() as ReplyId, revision: 'x9Ka' + (1e6).toString(36) }
    const at = {
      seq: 1e9,
      check: 'x9Kay',
      texts: [{ ...reply, answer: 4_194_304, reasoning: 4_194_304 }],
    }
    expect(alice.encode(at).length).toBeLessThan(200)
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
    expect(elsewhere.parse(alice.encode(beginning))).toBeUndefined()
  })

  it('F44: takes a cursor of the first edition for one that has expired, and only of this session', () => {
    const [tag] = alice.encode(beginning).split('.')
    expect(alice.parse(`${tag}.3.141`)).toBe('expired')
    expect(bob.parse(`${tag}.3.141`)).toBeUndefined()
  })

  it.each(['', '.', 'x.1.2', '1.2', 'null', '../..', `${'9'.repeat(400)}`])(
    'refuses %j',
    (given) => {
      expect(alice.parse(given)).toBeUndefined()
    },
  )

  it('refuses a cursor with anything added, or a number that is none', () => {
    const [tag] = alice.encode(beginning).split('.')
    const ends = [
      '1.abcde ',
      '1.-',
      '0.abcde',
      '-1.abcde',
      '1.abcde.3',
      '1e3.abcde',
      '1.',
      '1',
      '1234567890123456.abcde',
      '1.abcde~',
      '1.abcde~r',
      '1.abcde~r.x.1',
      '1.abcde~r.x.1.-2',
      '1.abcde~r.x.1.2.3',
      '1.abcde~r.x.1.2~',
      `1.abcde${'~r.x.1.2'.repeat(2_000)}`,
    ]
    for (const end of ends) expect(alice.parse(`${tag}.${end}`)).toBeUndefined()
  })
})
