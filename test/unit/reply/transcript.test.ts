import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delta } from '../../../src/domain.ts'
import { createTranscript } from '../../../src/reply/transcript.ts'

type Step = Delta | 'late' | undefined | { readonly delta: Delta | undefined }

const deltaOf = (step: Step): Delta | undefined => {
  if (step === undefined || step === 'late') return undefined
  return 'delta' in step ? step.delta : step
}

/** What a client holds after a delta. */
function apply(held: string, step: Step): string {
  const delta = deltaOf(step)
  return delta === undefined ? held : held.slice(0, delta.offset) + delta.text
}

const open = (shown?: string) =>
  createTranscript({
    kind: 'ANSWER',
    charge: () => undefined,
    ...(shown === undefined ? {} : { shown }),
  })
const answer = (offset: number, text: string) => ({ kind: 'ANSWER', offset, text })

/** Letters, whole characters beyond 16 bits, and their halves. */
const halves = fc.constantFrom('a', 'b', '中', '😀', '😃', '\ud83d', '\ude00')

const endsInHalf = (text: string) => /[\ud800-\udbff]$/.test(text)

describe('transcript', () => {
  it('gives each delta the offset at which it starts', () => {
    const transcript = open()
    expect(transcript.append('m', 'Hel')).toEqual(answer(0, 'Hel'))
    expect(transcript.append('m', 'lo')).toEqual(answer(3, 'lo'))
    expect(transcript.text).toBe('Hello')
  })

  it('joins messages in first-seen order with a blank line', () => {
    const transcript = open()
    transcript.append('a', 'one')
    transcript.complete('a', 'one')
    expect(transcript.append('b', 'two')).toEqual(answer(3, '\n\ntwo'))
  })

  it('shows each word once when the deltas of two messages alternate', () => {
    const transcript = open()
    const shown: string[] = []
    const show = (step: Step) => shown.push(deltaOf(step)?.text ?? '')
    for (let n = 0; n < 50; n += 1) {
      show(transcript.append('a', `a${n} `))
      show(transcript.append('b', `b${n} `))
    }
    const a = Array.from({ length: 50 }, (_, n) => `a${n} `).join('')
    const b = Array.from({ length: 50 }, (_, n) => `b${n} `).join('')
    expect(shown.join('')).toBe(a)
    show(transcript.complete('a', a))
    show(transcript.complete('b', b))
    expect(shown.join('')).toBe(`${a}\n\n${b}`)
    expect(transcript.text).toBe(`${a}\n\n${b}`)
  })

  it('shows what waits behind a message as soon as that has ended, and then goes on with it', () => {
    const transcript = open()
    transcript.append('a', 'one')
    expect(transcript.append('b', 'tw')).toBeUndefined()
    expect(transcript.complete('a', 'one!')).toEqual({
      delta: answer(3, '!\n\ntw'),
      corrected: false,
    })
    expect(transcript.append('b', 'o')).toEqual(answer(8, 'o'))
  })

  it('shows nothing of a message that ends before the one ahead of it', () => {
    const transcript = open()
    transcript.append('a', 'one')
    transcript.append('b', 'tvo')
    expect(transcript.complete('b', 'two')).toEqual({ delta: undefined, corrected: true })
    expect(transcript.complete('a', 'one')).toEqual({
      delta: answer(3, '\n\ntwo'),
      corrected: false,
    })
  })

  it('shows all there is, once and in order, at the end of a run that left a message open', () => {
    const transcript = open()
    transcript.append('a', 'one')
    transcript.complete('b', 'two')
    transcript.append('c', 'three')
    expect(transcript.text).toBe('one')
    expect(transcript.flush()).toEqual(answer(3, '\n\ntwo\n\nthree'))
    expect(transcript.flush()).toBeUndefined()
    expect(transcript.append('a', ' more')).toBe('late')
    expect(transcript.append('c', '!')).toEqual(answer(15, '!'))
  })

  it('makes nothing of messages without text', () => {
    const transcript = open()
    transcript.append('a', '')
    transcript.complete('b', '')
    transcript.append('c', 'see')
    expect(transcript.flush()).toEqual(answer(0, 'see'))
    expect(transcript.last).toEqual({ id: 'c', text: 'see' })
    transcript.complete('d', '')
    expect(transcript.last).toEqual({ id: 'c', text: 'see' })
  })

  it('goes on with the next message when one is closed with the text that it has', () => {
    const transcript = open()
    transcript.append('a', 'one')
    transcript.append('b', 'two')
    expect(transcript.close('a')).toEqual(answer(3, '\n\ntwo'))
    expect(transcript.append('a', ' more')).toBe('late')
  })

  it('says nothing when the completed text repeats the deltas', () => {
    const transcript = open()
    transcript.append('m', 'Hello')
    expect(transcript.complete('m', 'Hello')).toEqual({ delta: undefined, corrected: false })
  })

  it('F19: trusts the completed text over its deltas, with one correction', () => {
    const transcript = open()
    transcript.append('m', 'Hello wurld')
    expect(transcript.complete('m', 'Hello world')).toEqual({
      delta: answer(7, 'orld'),
      corrected: true,
    })
  })

  it('F19: a correction repeats nothing of the messages before it', () => {
    const transcript = open()
    transcript.complete('a', 'one')
    transcript.append('b', 'tvo')
    expect(transcript.complete('b', 'two')).toEqual({ delta: answer(6, 'wo'), corrected: true })
    expect(transcript.complete('c', '')).toEqual({ delta: undefined, corrected: false })
    transcript.append('d', 'four')
    expect(transcript.complete('d', '')).toEqual({ delta: answer(8, ''), corrected: true })
    expect(transcript.text).toBe('one\n\ntwo')
  })

  it('F13: ignores text that comes after its message was completed, and a second completion', () => {
    const transcript = open()
    transcript.complete('m', 'done')
    transcript.append('n', 'next')
    expect(transcript.append('m', ' more')).toBe('late')
    expect(transcript.complete('m', 'undone')).toBe('late')
    expect(transcript.text).toBe('done\n\nnext')
  })

  it('truncates with an empty text', () => {
    const transcript = open()
    transcript.append('m', 'abc')
    expect(transcript.complete('m', 'a')).toEqual({ delta: answer(1, ''), corrected: true })
  })

  it('takes a recovered reply on from what readers hold', () => {
    const transcript = open('Hello w')
    expect(transcript.complete('m', 'Hello world')).toMatchObject({ delta: answer(7, 'orld') })
  })

  it('repeats nothing of a recovered reply of several messages', () => {
    const transcript = open('one\n\ntw')
    expect(transcript.complete('a', 'one')).toMatchObject({ delta: undefined })
    expect(transcript.text).toBe('one\n\ntw')
    expect(transcript.complete('b', 'two')).toMatchObject({ delta: answer(7, 'o') })
    expect(transcript.complete('c', 'three')).toMatchObject({ delta: answer(8, '\n\nthree') })
    expect(transcript.flush()).toBeUndefined()
    expect(transcript.text).toBe('one\n\ntwo\n\nthree')
  })

  it('takes readers of a recovered reply back to where the upstream said something else', () => {
    const transcript = open('one\n\ntwo')
    transcript.complete('a', 'one')
    expect(transcript.complete('b', 'ten')).toMatchObject({ delta: answer(6, 'en') })
    const shorter = open('one\n\ntwo')
    shorter.complete('a', 'one')
    expect(shorter.flush()).toEqual(answer(3, ''))
  })

  it('keeps what readers hold where the upstream tells no text again', () => {
    const transcript = open('one')
    expect(transcript.flush()).toBeUndefined()
    expect(transcript.text).toBe('one')
    transcript.settle()
    expect(transcript.append('b', 'two')).toEqual(answer(3, '\n\ntwo'))
  })

  it('is told a run again from its beginning, under whatever ids', () => {
    const transcript = open()
    transcript.append('a', 'one')
    transcript.append('b', 'tw')
    transcript.restart()
    expect(transcript.text).toBe('one')
    expect(transcript.complete('8', 'one')).toMatchObject({ delta: undefined })
    expect(transcript.complete('9', 'two')).toMatchObject({ delta: answer(3, '\n\ntwo') })
  })

  it('charges what it keeps and shows, once', () => {
    let charged = ''
    const transcript = createTranscript({
      kind: 'ANSWER',
      charge: (text) => (charged += `${text}|`),
    })
    transcript.append('a', 'on')
    transcript.append('b', 'tw')
    transcript.complete('a', 'one')
    transcript.complete('b', 'two')
    transcript.flush()
    expect(charged).toBe('a|on|b|tw|e|o|')
  })

  it('keeps a character together whose halves come apart', () => {
    const transcript = open()
    expect(transcript.append('m', 'a\ud83d')).toEqual(answer(0, 'a'))
    expect(transcript.append('m', '\ude00b')).toEqual(answer(1, '😀b'))
  })

  it('does not cut a character where two texts part inside it', () => {
    const transcript = open()
    transcript.append('m', 'a😀')
    expect(transcript.complete('m', 'a😃')).toMatchObject({ delta: answer(1, '😃') })
    expect(open('a😀').complete('m', 'a😃')).toMatchObject({ delta: answer(1, '😃') })
  })

  it('brings a client to the joined text, whatever comes in whatever order', () => {
    const step = fc.record({
      message: fc.constantFrom('a', 'b', 'c'),
      text: fc.string({ unit: halves, maxLength: 6 }),
      kind: fc.constantFrom('append', 'append', 'append', 'complete', 'close', 'flush', 'restart'),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 25 }),
        fc.string({ maxLength: 4 }),
        (steps, shown) => {
          const transcript = open(shown)
          let held = shown
          for (const { message, text, kind } of steps) {
            if (kind === 'restart') transcript.restart()
            const result =
              kind === 'complete'
                ? transcript.complete(message, text)
                : kind === 'append'
                  ? transcript.append(message, text)
                  : kind === 'close'
                    ? transcript.close(message)
                    : transcript.flush()
            const delta = deltaOf(result)
            if (delta !== undefined && endsInHalf(held.slice(0, delta.offset))) return false
            held = apply(held, result)
            if (held !== transcript.text) return false
          }
          return true
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('ends with all messages in first-seen order, each with its last word', () => {
    const step = fc.record({
      message: fc.constantFrom('a', 'b', 'c', 'd'),
      text: fc.string({ unit: halves, maxLength: 6 }),
      completes: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const transcript = open()
        const model = new Map<string, { text: string; ended: boolean }>()
        for (const { message, text, completes } of steps) {
          const said = model.get(message) ?? { text: '', ended: false }
          model.set(message, said)
          if (completes) transcript.complete(message, text)
          else transcript.append(message, text)
          if (said.ended) continue
          said.text = completes ? text.toWellFormed() : said.text + text
          said.ended = completes
        }
        transcript.flush()
        const whole = [...model.values()]
          // A half at the end of a message that was left open still waits for the other.
          .map(({ text, ended }) => (ended ? text : text.replace(/[\ud800-\udbff]$/, '')))
          .map((text) => text.toWellFormed())
          .filter((text) => text !== '')
          .join('\n\n')
        expect(transcript.text).toBe(whole)
      }),
      { numRuns: 2_000 },
    )
  })
})
