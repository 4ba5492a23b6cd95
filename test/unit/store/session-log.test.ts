import { describe, expect, it } from 'vitest'
import type { ConversationId, LogEvent, Position, ReplyId, SessionId } from '../../../src/domain.ts'
import { ReplyText } from '../../../src/store/reply-text.ts'
import type { SessionLog } from '../../../src/store/session-log.ts'
import { SessionLogs, type SessionLogLimits } from '../../../src/store/session-logs.ts'
import { completed } from '../../kit/fakes/stored-replies.ts'

const conversationId = 'conversation' as ConversationId
const beginning: Position = { seq: 0, check: '', texts: [] }
const sessionOf = (name: string) => name as SessionId

function newLogs(limits: Partial<SessionLogLimits> = {}) {
  const logs = new SessionLogs({ maxSessions: 10, maxLength: 1e6, maxBusyLength: 1e6, ...limits })
  const open = (name: string) => {
    const log = logs.open(sessionOf(name))
    log.know({ seq: 0, check: '' })
    return log
  }
  return { logs, open }
}

function run(log: SessionLog, name: string): ReplyText {
  const revisions = [{ name: `${name}0`, answerKept: 0, reasoningKept: 0 }]
  const owner = { replyId: name as ReplyId, conversationId }
  const text = new ReplyText(owner, revisions, { answer: '', reasoning: '' })
  log.run(text, false)
  return text
}

function show(
  log: SessionLog,
  text: ReplyText,
  body: { readonly type: 'started' } | ReturnType<typeof completed>,
) {
  const seq = (log.end?.seq ?? 0) + 1
  const { replyId } = text
  log.show({ seq, check: `c${seq}`, replyId, conversationId, ...body } as LogEvent)
}

/** A reply from its start to its end. */
function talk(log: SessionLog, name: string, answer: string): void {
  const text = run(log, name)
  show(log, text, { type: 'started' })
  text.put('ANSWER', 0, answer, () => '')
  show(log, text, completed(answer))
}

const typesOf = (result: ReturnType<SessionLog['read']>) =>
  result === undefined || result === 'expired' ? result : result.map(({ event }) => event.type)

describe("the end of a session's log in memory", () => {
  it('makes one slice, one event and one position of what ten thousand readers are given', () => {
    const log = newLogs().open('ann')
    const text = run(log, 'reply')
    show(log, text, { type: 'started' })
    const start = log.endPosition ?? beginning
    let positions = Array.from({ length: 10_000 }, () => structuredClone({ ...start }))
    for (let count = 0; count < 3; count += 1) {
      text.put('ANSWER', text.answer.length, 'word ', () => '')
      const items = positions.map((position) => {
        const result = log.read(position, {}, 1_000)
        if (result === undefined || result === 'expired') throw new Error('expected an item')
        return result[0]
      })
      expect(new Set(items).size).toBe(1)
      positions = items.map((item) => item?.position ?? beginning)
    }
  })

  it('knows every place between its first entry and its end, and no other', () => {
    const { logs, open } = newLogs()
    const log = open('ann')
    talk(log, 'one', 'Hello')
    talk(log, 'two', 'you')
    expect(typesOf(log.read(beginning, {}, 1_000))).toEqual([
      'started',
      'delta',
      'completed',
      'started',
      'delta',
      'completed',
    ])
    expect(log.read({ ...beginning, seq: 2, check: 'other' }, {}, 1)).toBe('expired')
    expect(log.read({ ...beginning, seq: 5, check: 'c5' }, {}, 1)).toBe('expired')
    log.forget()
    expect(log.read(beginning, {}, 1_000)).toBeUndefined()
    expect(log.read({ ...beginning, seq: 4, check: 'c4' }, {}, 1)).toEqual([])
    expect(log.check({ seq: 4, check: 'c4' })).toBe('ok')
    expect(log.check({ seq: 2, check: 'c2' })).toBeUndefined()
    logs.settle(log)
  })

  it('gives up the sessions that were unused for longest, and keeps those that run a reply or are listened to', () => {
    const { logs, open } = newLogs({ maxSessions: 2 })
    const busy = open('busy')
    show(busy, run(busy, 'running'), { type: 'started' })
    logs.settle(busy)
    using _listener = logs.listen(sessionOf('heard'), () => {})
    for (const name of ['one', 'two', 'three', 'four']) {
      const log = open(name)
      talk(log, name, 'text')
      logs.settle(log)
    }
    const isKept = (name: string) => logs.find(sessionOf(name)) !== undefined
    expect(['busy', 'heard', 'one', 'two', 'three', 'four'].filter(isKept)).toEqual([
      'busy',
      'heard',
      'three',
      'four',
    ])
  })

  it('stays with its readers while a slow read of one that was given up before comes to its end', () => {
    const { logs, open } = newLogs({ maxSessions: 1 })
    const before = open('ann')
    logs.settle(before)
    logs.settle(open('bob'))
    expect(logs.find(sessionOf('ann'))).toBeUndefined()
    const now = open('ann')
    run(now, 'reply')
    logs.settle(now)
    // The read from the disk that was under way when it was given up.
    logs.settle(before)
    for (const name of ['cem', 'dan']) logs.settle(open(name))
    expect(logs.find(sessionOf('ann'))).toBe(now)
  })

  it('keeps no more of what has ended than it may, of a quiet session and of one that always runs something', () => {
    const { logs, open } = newLogs({ maxLength: 5_000, maxBusyLength: 2_000 })
    for (let count = 0; count < 20; count += 1) {
      const log = open(`quiet${count}`)
      talk(log, 'reply', 'x'.repeat(1_000))
      logs.settle(log)
    }
    const kept = Array.from(
      { length: 20 },
      (_, count) => logs.find(sessionOf(`quiet${count}`))?.length ?? 0,
    )
    expect(kept.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(5_000)

    const busy = open('busy')
    const running = run(busy, 'running')
    show(busy, running, { type: 'started' })
    const start = busy.endPosition ?? beginning
    running.put('ANSWER', 0, 'still here', () => '')
    const held = busy.read(start, {}, 100)
    const last = held === undefined || held === 'expired' ? undefined : held.at(-1)?.position
    for (let count = 0; count < 20; count += 1) {
      talk(busy, `other${count}`, 'x'.repeat(900))
      logs.settle(busy)
      expect(busy.length).toBeLessThanOrEqual(2_000)
    }
    // Who lags is served from the disk; who keeps up, from here.
    expect(last && busy.read(last, {}, 100)).toBeUndefined()
    const end = busy.endPosition ?? beginning
    running.put('ANSWER', 10, '!', () => '')
    expect(busy.read(end, {}, 100)).toMatchObject([{ event: { offset: 10, text: '!' } }])
  })

  it('lets go of what was trimmed, and of nothing behind it', () => {
    const log = newLogs().open('ann')
    talk(log, 'one', 'Hello')
    talk(log, 'two', 'you')
    log.trim({ seq: 2, check: 'c2' })
    expect(log.read(beginning, {}, 1_000)).toBeUndefined()
    const kept = log.read({ ...beginning, seq: 2, check: 'c2' }, {}, 1_000)
    expect(typesOf(kept)).toEqual(['started', 'delta', 'completed'])
    log.trim({ seq: 4, check: 'c4' })
    expect(log.length).toBe(0)
    expect(log.read({ ...beginning, seq: 4, check: 'c4' }, {}, 1_000)).toEqual([])
  })
})
