import fc from 'fast-check'
import { expect } from 'vitest'
import type { ConversationId, DeltaKind, Position, ReplyId } from '../../../src/domain.ts'
import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import type { RunLease } from '../../../src/store/run-lease.ts'
import { type EventFilter, LostReplyError, type LogItem } from '../../../src/store/log.ts'
import type { ReplyStore } from '../../../src/store/store.ts'
import {
  beginning,
  cancelled,
  completed,
  endByOther,
  finish,
  openSession,
  runReply,
} from '../fakes/stored-replies.ts'
import type { Complain } from './history.ts'
import { append, nothing } from './known-text.ts'
import { createReader, isEnded, type Reader, type ReplyState, unseen } from './reader.ts'
import { cursorAt, toSeen } from './seen.ts'

/** A store that one process has open, or several instances, any of which can be killed. */
export interface Mortal extends AsyncDisposable {
  readonly stores: readonly ReplyStore[]
  /** Kills one of them, and opens what was on disk then anew. What it ran is nobody's; of several it may not know that yet. */
  crash(index: number): Promise<void>
  /** Time passes for one of several instances, and what it has to write by itself is written. */
  pass?(index: number): void
}

/** What may happen to one session's log. Numbers choose among what there is. */
export const logSteps = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const), at: fc.nat() }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      reply: fc.nat(),
      kind: fc.constantFrom<DeltaKind>('ANSWER', 'ANSWER', 'REASONING'),
      /** Mostly the end; else a correction from this share of the text. */
      from: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.constantFrom(0, 0.3, 0.8)),
      text: fc.oneof(
        { weight: 8, arbitrary: fc.string({ maxLength: 6 }) },
        { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
        fc.constant('long '.repeat(1800)),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      reply: fc.nat(),
      at: fc.nat(),
      how: fc.constantFrom('completed', 'completed', 'corrected', 'cancelled', 'by another'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      reader: fc.nat(),
      at: fc.nat(),
      maxLength: fc.constantFrom(1, 10, 10_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      filter: fc.constantFrom('none', 'reply', 'conversation'),
      reply: fc.nat(),
      at: fc.nat(),
      from: fc.constantFrom('beginning', 'beginning', 'start', 'end'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('resume' as const), reader: fc.nat(), back: fc.nat(8) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('delete' as const), reply: fc.nat(), at: fc.nat() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), at: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), at: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('haunt' as const),
      lease: fc.nat(),
      how: fc.constantFrom('append', 'finish'),
    }),
  },
)

type Step = typeof logSteps extends fc.Arbitrary<infer T> ? T : never

/** One reply as the model knows it. */
interface Told {
  readonly id: ReplyId
  readonly conversationId: ConversationId
  readonly texts: Map<DeltaKind, string>
  /** Something of it was taken back: a reader may be given again what it holds. */
  isCorrected: boolean
  isDeleted: boolean
}

/** What was read of each reply up to a position, which a client may resume from. */
interface Place {
  readonly position: Position
  readonly states: ReadonlyMap<string, ReplyState>
}

/** A reply that runs, and the index of the store that it runs on. */
interface Running {
  readonly lease: RunLease
  readonly at: number
}

interface Listener {
  readonly filter: EventFilter
  readonly reader: Reader
  /** Where it was; the last one is where it is. */
  readonly places: Place[]
}

const fail: Complain = (rule, problem) => expect.fail(`${rule}: ${problem}`)

const choose = <T>(from: readonly T[], index: number) => from[index % Math.max(1, from.length)]

/** Runs steps against a log, and checks readers against what was written. */
export async function logModel(mortal: Mortal) {
  const isShared = mortal.stores.length > 1
  const session = await openSession(storeAt(0).ledger)
  const told: Told[] = []
  const running = new Map<ReplyId, Running>()
  /** Leases that another instance has taken, or ended the replies of: whoever holds them may not know. */
  const lost: RunLease[] = []
  const finishing = new Set<Promise<unknown>>()
  /** Whose event has which number, as far as a reader was told it. */
  const owners = new Map<number, ReplyId>()
  let time = 0
  let trims = 0
  let listeners: Listener[] = [newListener({}, { position: beginning, states: new Map() })]

  function newListener(filter: EventFilter, place: Place): Listener {
    const reader = createReader('a reader', fail)
    const request = { reader: 'a reader', connection: 'only', as: 'anybody', ...filter }
    reader.open(
      { type: 'open', ...request, after: cursorAt(place.position) },
      (replyId) => place.states.get(replyId) ?? unseen,
    )
    return { filter, reader, places: [place] }
  }

  function placeOf({ places }: Listener): Place {
    const place = places.at(-1)
    if (place === undefined) throw new Error('a listener is nowhere')
    return place
  }

  function storeAt(index: number): ReplyStore {
    const store = choose(mortal.stores, index)
    if (store === undefined) throw new Error('nobody has it open')
    return store
  }

  const ofReply = (id: string) => told.find((reply) => reply.id === id)

  /** Undefined: the position has expired. */
  async function read(
    listener: Listener,
    maxLength: number,
    at = 0,
  ): Promise<readonly LogItem[] | undefined> {
    const { position } = placeOf(listener)
    const { log } = storeAt(at)
    // An instance learns what the others have written when a reader comes to it.
    const isGone = isShared && (await log.check(session.id, position)) === 'expired'
    const items = isGone
      ? 'expired'
      : await log.read(session.id, position, listener.filter, maxLength)
    if (items === 'expired') {
      listeners = listeners.filter((other) => other !== listener)
      return undefined
    }
    for (const item of items) apply(listener, item)
    // What comes after an end that is on its way to disk waits with it.
    const isWhole = finishing.size === 0 && (!isShared || running.size === 0)
    if (items.length === 0 && isWhole) compare(listener)
    return items
  }

  function apply(listener: Listener, { event, position }: LogItem): void {
    const before = placeOf(listener)
    const reply = ofReply(event.replyId)
    expect(reply?.isDeleted).toBe(false)
    if (event.type === 'delta') {
      const { seq, check } = before.position
      expect([position.seq, position.check]).toEqual([seq, check])
    } else {
      expect(position).toMatchObject({ seq: event.seq, check: event.check })
      owners.set(event.seq, event.replyId)
    }
    const seen = toSeen(event, cursorAt(position))
    const entry = listener.reader.see(seen, reply?.isCorrected !== false)
    if (entry === undefined) return
    listener.places.push({
      // As from a cursor, every other time.
      position: time % 2 === 0 ? position : structuredClone({ ...position }),
      states: new Map(before.states).set(event.replyId, entry.state),
    })
  }

  function isAtDeleted(listener: Listener): boolean {
    const { seq } = placeOf(listener).position
    const owner = owners.get(seq)
    return seq > 0 && (owner === undefined || ofReply(owner)?.isDeleted === true)
  }

  /** A reader at the end of the log holds exactly what was written. */
  function compare(listener: Listener): void {
    const { filter } = listener
    const { states } = placeOf(listener)
    for (const { id, conversationId, texts, isDeleted } of told) {
      if (isDeleted) continue
      if (filter.replyId !== undefined && filter.replyId !== id) continue
      if (filter.conversationId !== undefined && filter.conversationId !== conversationId) continue
      const { answer, reasoning } = states.get(id) ?? unseen
      expect(answer.text === shownOf(id, texts.get('ANSWER'))).toBe(true)
      expect(reasoning.text === shownOf(id, texts.get('REASONING'))).toBe(true)
    }
  }

  /** What a reader shows of a reply that has read everything. */
  function stateOf({ id, texts }: Told): ReplyState {
    return {
      ...unseen,
      status: running.has(id) ? 'RUNNING' : 'COMPLETED',
      answer: append(nothing, shownOf(id, texts.get('ANSWER'))),
      reasoning: append(nothing, shownOf(id, texts.get('REASONING'))),
    }
  }

  /** The first half of a character is shown when the second one has come, or none can. */
  function shownOf(id: ReplyId, text = ''): string {
    return running.has(id) ? text.slice(0, outOfPair(text, text.length)) : text
  }

  function end(reply: Told, lease: RunLease, how: 'completed' | 'corrected' | 'cancelled'): void {
    running.delete(reply.id)
    const text = reply.texts.get('ANSWER') ?? ''
    const half = text.slice(0, outOfPair(text, Math.floor(text.length / 2)))
    const whole = how === 'corrected' ? `${half}, or so` : text
    if (how === 'corrected') {
      reply.texts.set('ANSWER', whole)
      reply.isCorrected = true
    }
    const event = how === 'cancelled' ? cancelled : completed(whole)
    const ending: Promise<unknown> = finish(lease, event, { at: time }).finally(() =>
      finishing.delete(ending),
    )
    finishing.add(ending)
  }

  async function take(step: Step): Promise<void> {
    time += 1
    switch (step.do) {
      case 'begin': {
        const lease = await runReply(storeAt(step.at), session)
        const { id, conversationId } = lease.reply
        const texts = new Map<DeltaKind, string>()
        told.push({ id, conversationId, texts, isCorrected: false, isDeleted: false })
        running.set(id, { lease, at: step.at % mortal.stores.length })
        return
      }
      case 'append': {
        const lease = choose([...running.values()], step.reply)?.lease
        const reply = lease && ofReply(lease.reply.id)
        if (lease === undefined || reply === undefined) return
        const { kind, text } = step
        const before = reply.texts.get(kind) ?? ''
        const offset = outOfPair(before, Math.floor(before.length * step.from))
        if (offset < before.length) reply.isCorrected = true
        reply.texts.set(kind, before.slice(0, offset) + text)
        await lease.append([{ kind, offset, text }])
        expect(kind === 'ANSWER' ? lease.answer : lease.reasoning).toBe(reply.texts.get(kind))
        return
      }
      case 'finish': {
        const lease = choose([...running.values()], step.reply)?.lease
        const reply = lease && ofReply(lease.reply.id)
        if (lease === undefined || reply === undefined) return
        if (step.how !== 'by another') {
          // Not awaited: other replies go on while this one's end is on its way to disk.
          end(reply, lease, step.how)
          return
        }
        running.delete(reply.id)
        const outcome = await endByOther(storeAt(step.at), session, reply.id, { at: time })
        if (isShared) lost.push(lease)
        if (outcome.type !== 'finished') throw new Error(`expected an end, got "${outcome.type}"`)
        reply.isCorrected = true
        reply.texts.set('ANSWER', outcome.reply.text).set('REASONING', outcome.reply.reasoning)
        return
      }
      case 'read': {
        const listener = choose(listeners, step.reader)
        if (
          listener !== undefined &&
          (await read(listener, step.maxLength, step.at)) === undefined
        ) {
          expect(trims).toBeGreaterThan(0)
        }
        return
      }
      case 'join':
        await join(step)
        return
      case 'resume': {
        const listener = choose(listeners, step.reader)
        const place = listener?.places.at(-1 - step.back)
        if (listener !== undefined && place !== undefined) {
          listeners.push(newListener(listener.filter, place))
        }
        return
      }
      case 'trim': {
        await Promise.all(finishing)
        for (const listener of listeners) while ((await read(listener, 20_000))?.length) {}
        trims += await storeAt(0).log.trim(time)
        // Nobody has lost anything, but who stands at an event that was deleted may not be able to go on from there.
        for (const listener of listeners.filter(({ filter }) => Object.keys(filter).length === 0)) {
          const wasAtDeleted = isAtDeleted(listener)
          const items = await read(listener, 1)
          if (items === undefined) expect(wasAtDeleted).toBe(true)
          else expect(items).toEqual([])
        }
        return
      }
      case 'delete': {
        const reply = choose(told, step.reply)
        if (reply === undefined || reply.isDeleted || running.has(reply.id)) return
        await Promise.all(finishing)
        await storeAt(step.at).ledger.deleteConversation(session, reply.conversationId, time)
        reply.isDeleted = true
        return
      }
      case 'crash': {
        await Promise.all(finishing)
        const dead = step.at % mortal.stores.length
        await mortal.crash(dead)
        for (const [id, { lease, at }] of running) {
          if (at !== dead) continue
          running.delete(id)
          if (isShared) lost.push(lease)
        }
        const next = (dead + 1) % mortal.stores.length
        for (const { lease } of await storeAt(next).ledger.orphans()) {
          const reply = ofReply(lease.reply.id)
          if (reply === undefined) throw new Error('a reply of nobody is taken over')
          running.set(reply.id, { lease, at: next })
          reply.isCorrected = true
          reply.texts.set('ANSWER', lease.answer).set('REASONING', lease.reasoning)
        }
        for (const { places } of listeners) {
          for (const [index, { position, states }] of places.entries()) {
            places[index] = { position: structuredClone({ ...position }), states }
          }
        }
        return
      }
      case 'pass':
        mortal.pass?.(step.at % mortal.stores.length)
        return
      case 'haunt':
        await haunt(choose(lost, step.lease), step.how)
    }
  }

  /** Whoever has lost a reply goes on with it, and brings nothing about. */
  async function haunt(lease: RunLease | undefined, how: string): Promise<void> {
    if (lease === undefined) return
    try {
      if (how === 'append') {
        void lease.append([{ kind: 'ANSWER', offset: lease.answer.length, text: 'BOO' }])
      } else expect((await finish(lease, completed('BOO'))).type).not.toBe('finished')
    } catch (error) {
      if (!(error instanceof LostReplyError)) throw error
    }
  }

  async function join(step: Extract<Step, { readonly do: 'join' }>): Promise<void> {
    const reply = choose(told, step.reply)
    if (reply === undefined) return
    const { id: replyId, conversationId } = reply
    const filters = { none: {}, reply: { replyId }, conversation: { conversationId } }
    const filter = filters[step.filter]
    // Where the log ends depends on how much an instance knows of what runs on the others.
    if (step.from === 'beginning' || (step.from === 'end' && isShared)) {
      listeners.push(newListener(filter, { position: beginning, states: new Map() }))
      return
    }
    await Promise.all(finishing)
    if (step.from === 'end') {
      const states = new Map(told.map((reply) => [reply.id, stateOf(reply)]))
      listeners.push(
        newListener(filter, { position: await storeAt(step.at).log.end(session.id), states }),
      )
      return
    }
    const start = await storeAt(step.at).log.start(session.id, replyId)
    if (start === undefined || start === 'expired') {
      expect(start === undefined ? reply.isDeleted : trims > 0).toBe(true)
      return
    }
    listeners.push(newListener({ replyId }, { position: start, states: new Map() }))
  }

  /** Ends all that runs and lets every reader come to the end. */
  async function conclude(): Promise<void> {
    for (const [id, { lease }] of running) {
      const reply = ofReply(id)
      if (reply !== undefined) end(reply, lease, 'completed')
    }
    await Promise.all(finishing)
    const [first] = listeners
    for (const listener of listeners) while ((await read(listener, 20_000))?.length) {}
    if (first === undefined || !listeners.includes(first)) return
    // Who read from the beginning has met each end.
    const { states } = placeOf(first)
    for (const { id, isDeleted } of told) {
      if (!isDeleted) expect(isEnded(states.get(id) ?? unseen)).toBe(true)
    }
  }

  return { take, conclude }
}

/** An offset that is not behind the first half of a character. */
function outOfPair(text: string, offset: number): number {
  return isHighSurrogate(text.charCodeAt(offset - 1)) ? offset - 1 : offset
}
