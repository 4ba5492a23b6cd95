import { describe, expect, it } from 'vitest'
import type { ConversationId, ReplyEvent, ReplyId, SessionId } from '../../../../src/domain.ts'
import { toPlace, toPosition } from '../../../../src/store/sqlite/place.ts'
import { SessionLog } from '../../../../src/store/sqlite/session-log.ts'

const reply = { replyId: 'r' as ReplyId, conversationId: 'c' as ConversationId }
const newLog = () => new SessionLog('s' as SessionId, 3, 0, 0)
const started = (log: SessionLog): ReplyEvent => ({
  epoch: 3,
  seq: log.nextSeq(),
  ...reply,
  type: 'started',
})

function delta(log: SessionLog, offset: number, text: string): ReplyEvent {
  const seq = log.nextSeq()
  return { epoch: 3, seq, ...reply, type: 'delta', kind: 'ANSWER', offset, text }
}

function shown(log: SessionLog, after = 0): ReplyEvent[] {
  const events: ReplyEvent[] = []
  log.read(toPlace({ epoch: 3, seq: after }), (event) => events.push(event) > 0)
  return events
}

const seqs = (events: readonly ReplyEvent[]) => events.map(({ seq }) => seq)

describe('session log', () => {
  it('shows nothing before an event that waits for the disk', () => {
    const log = newLog()
    log.show(delta(log, 0, 'a'))
    const first = log.hold(started(log))
    log.show(delta(log, 1, 'b'))
    const second = log.hold(started(log))
    log.show(delta(log, 2, 'c'))
    expect(seqs(shown(log))).toEqual([1])
    log.release(second)
    expect(seqs(shown(log))).toEqual([1])
    log.release(first)
    expect(seqs(shown(log))).toEqual([1, 2, 3, 4, 5])
    expect(toPosition(log.end)).toEqual({ epoch: 3, seq: 5 })
  })

  it('wakes its listeners when what was held is shown', () => {
    const log = newLog()
    let wakes = 0
    log.wakes.add(() => (wakes += 1))
    const held = log.hold(started(log))
    expect(wakes).toBe(0)
    log.release(held)
    expect(wakes).toBe(1)
  })

  it('reads from any position', () => {
    const log = newLog()
    for (let index = 0; index < 50; index += 1) log.show(delta(log, index, 'x'))
    for (let after = 0; after <= 50; after += 1) {
      expect(seqs(shown(log, after))).toEqual(
        Array.from({ length: 50 - after }, (_, i) => after + 1 + i),
      )
    }
  })

  it('is bounded by the text of a reply, not by the number of its deltas', () => {
    const log = newLog()
    for (let index = 0; index < 20_000; index += 1) log.show(delta(log, index, 'x'))
    expect(shown(log).length).toBeLessThan(1000)
    const text = shown(log)
      .map((event) => (event.type === 'delta' ? event.text : ''))
      .join('')
    expect(text).toBe('x'.repeat(20_000))
    expect(log.length).toBeLessThan(4 * 20_000)
  })

  it('is quiet only while nothing runs or is held', () => {
    const log = newLog()
    expect(log.isQuiet).toBe(true)
    const held = log.hold(started(log))
    expect(log.isQuiet).toBe(false)
    log.release(held)
    log.running = 1
    expect(log.isQuiet).toBe(false)
  })
})
