import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../../src/domain.ts'
import { type TextRead, TextReads } from '../../../src/store/sqlite/worker/text-reads.ts'

let lastId = 0

function read(session: string): TextRead {
  lastId += 1
  return { id: lastId, method: 'readTexts', args: { sessionId: session as SessionId, pieces: [] } }
}

/** Whose reads are done in which order, where each read of a session takes so many ms. */
function order(reads: TextReads, count: number, ms: Readonly<Record<string, number>>): string[] {
  return Array.from({ length: count }, () => {
    const call = reads.take(undefined)
    if (call === undefined) return 'nobody'
    reads.done(call, ms[call.args.sessionId] ?? 0)
    return call.args.sessionId
  })
}

describe('reads of texts that wait', () => {
  it('let a session that has read little go before all that read megabytes', () => {
    const reads = new TextReads()
    for (let n = 0; n < 8; n += 1) for (const one of ['a', 'b', 'c']) reads.add(read(one))
    order(reads, 6, { a: 5, b: 5, c: 5 })
    for (let n = 0; n < 3; n += 1) reads.add(read('short'))
    expect(
      order(reads, 4, { a: 5, b: 5, c: 5, short: 1 }).filter((who) => who === 'short'),
    ).toHaveLength(3)
  })

  it('share the time among the sessions, not the number of reads', () => {
    const reads = new TextReads()
    for (let n = 0; n < 40; n += 1) for (const one of ['long', 'short']) reads.add(read(one))
    const done = order(reads, 22, { long: 10, short: 1 })
    expect(done.filter((who) => who === 'long').length).toBeLessThanOrEqual(3)
  })

  it('of one session stay in their order', () => {
    const reads = new TextReads()
    const calls = [read('a'), read('a'), read('b'), read('a')]
    for (const call of calls) reads.add(call)
    const ids: number[] = []
    for (let call = reads.take(undefined); call; call = reads.take(undefined)) {
      reads.done(call, 1)
      if (call.args.sessionId === 'a') ids.push(call.id)
    }
    expect(ids).toEqual(calls.filter(({ args }) => args.sessionId === 'a').map(({ id }) => id))
    expect(reads.isEmpty).toBe(true)
  })

  it('are not done before a write that was asked for earlier', () => {
    const reads = new TextReads()
    const early = read('a')
    const write = { id: read('b').id }
    reads.add(early)
    reads.add(read('a'))
    expect(reads.take(write)).toBe(early)
    expect(reads.take(write)).toBe(undefined)
    expect(reads.isEmpty).toBe(false)
  })
})
