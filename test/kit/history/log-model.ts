import fc from 'fast-check'
import { expect } from 'vitest'
import type { ConversationId, DeltaKind, Position, ReplyId } from '../../../src/domain.ts'
import { isHighSurrogate } from '../../../src/lib/surrogate.ts'
import type { RunLease } from '../../../src/store/run-lease.ts'
import type { EventFilter, LogItem } from '../../../src/store/log.ts'
import type { ReplyStore } from '../../../src/store/store.ts'
import {
  beginning,
  cancelled,
  completed,
  endByOther,
  finish,
  openSession,
  runReply,
  textsOf,
} from '../fakes/stored-replies.ts'

/** A store that can be killed: what was on disk then is opened anew. */
export interface Mortal extends AsyncDisposable {
  readonly store: ReplyStore
  /** Takes up what ran, under new leases. */
  crash(): Promise<void>
}

/** What may happen to one session's log. Numbers choose among what there is. */
export const logSteps = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
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
      how: fc.constantFrom('completed', 'completed', 'corrected', 'cancelled', 'by another'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      reader: fc.nat(),
      maxLength: fc.constantFrom(1, 10, 10_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      filter: fc.constantFrom('none', 'reply', 'conversation'),
      reply: fc.nat(),
      from: fc.constantFrom('beginning', 'beginning', 'start', 'end'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('resume' as const), reader: fc.nat(), back: fc.nat(8) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), reply: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
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

interface Reader {
  readonly filter: EventFilter
  position: Position
  texts: Map<string, string>
  ended: readonly string[]
  /** Where it was, with what it held there: what a client may resume from. */
  readonly past: Pick<Reader, 'position' | 'texts' | 'ended'>[]
}

/** Runs steps against a log, and checks readers against what was written. */
export async function logModel(mortal: Mortal) {
  const session = await openSession(mortal.store.ledger)
  const told: Told[] = []
  const running = new Map<ReplyId, RunLease>()
  const finishing = new Set<Promise<unknown>>()
  /** Whose event has which number, as far as a reader was told it. */
  const owners = new Map<number, ReplyId>()
  let readers: Reader[] = [newReader({}, beginning)]
  let time = 0
  let trims = 0

  function newReader(
    filter: EventFilter,
    position: Position,
    held: Pick<Reader, 'texts' | 'ended'> = { texts: new Map(), ended: [] },
  ): Reader {
    const { texts, ended } = held
    const reader = { filter, position, texts: new Map(texts), ended, past: [] }
    remember(reader)
    return reader
  }

  function remember({ position, texts, ended, past }: Reader): void {
    past.push({ position, texts: new Map(texts), ended })
  }

  const choose = <T>(from: readonly T[], index: number) => from[index % Math.max(1, from.length)]
  const ofReply = (id: string) => told.find((reply) => reply.id === id)

  /** Undefined: the position has expired. */
  async function read(reader: Reader, maxLength: number): Promise<readonly LogItem[] | undefined> {
    const { position, filter } = reader
    const items = await mortal.store.log.read(session.id, position, filter, maxLength)
    if (items === 'expired') {
      readers = readers.filter((other) => other !== reader)
      return undefined
    }
    for (const item of items) apply(reader, item)
    // What comes after an end that is on its way to disk waits with it.
    if (items.length === 0 && finishing.size === 0) compare(reader)
    return items
  }

  function apply(reader: Reader, { event, position }: LogItem): void {
    const { replyId } = event
    expect(reader.ended).not.toContain(replyId)
    expect(ofReply(replyId)?.isDeleted).toBe(false)
    if (event.type === 'delta') {
      expect([position.seq, position.check]).toEqual([reader.position.seq, reader.position.check])
      expect(event.text.isWellFormed()).toBe(true)
      const held = reader.texts.get(`${replyId} ${event.kind}`)?.length ?? 0
      expect(event.offset).toBeLessThanOrEqual(held)
      if (ofReply(replyId)?.isCorrected === false) expect(event.offset).toBe(held)
      textsOf([event], reader.texts)
    } else {
      expect(position).toMatchObject({ seq: event.seq, check: event.check })
      expect(position.seq).toBeGreaterThan(reader.position.seq)
      owners.set(event.seq, replyId)
      if (event.type === 'completed' || event.type === 'failed' || event.type === 'cancelled') {
        reader.ended = [...reader.ended, replyId]
      }
    }
    // As from a cursor, every other time.
    reader.position = time % 2 === 0 ? position : structuredClone({ ...position })
    remember(reader)
  }

  /** A reader at the end of the log holds exactly what was written. */
  function compare({ filter, texts: held }: Reader): void {
    for (const { id, conversationId, texts, isDeleted } of told) {
      if (isDeleted) continue
      if (filter.replyId !== undefined && filter.replyId !== id) continue
      if (filter.conversationId !== undefined && filter.conversationId !== conversationId) continue
      for (const kind of ['ANSWER', 'REASONING'] as const) {
        const shown = shownOf(id, texts.get(kind))
        if ((held.get(`${id} ${kind}`) ?? '') !== shown) {
          expect(held.get(`${id} ${kind}`) ?? '').toBe(shown)
        }
      }
    }
  }

  function isAtDeleted({ position: { seq } }: Reader): boolean {
    const owner = owners.get(seq)
    return seq > 0 && (owner === undefined || ofReply(owner)?.isDeleted === true)
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
        const lease = await runReply(mortal.store, session)
        const { id, conversationId } = lease.reply
        const texts = new Map<DeltaKind, string>()
        told.push({ id, conversationId, texts, isCorrected: false, isDeleted: false })
        running.set(id, lease)
        return
      }
      case 'append': {
        const lease = choose([...running.values()], step.reply)
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
        const lease = choose([...running.values()], step.reply)
        const reply = lease && ofReply(lease.reply.id)
        if (lease === undefined || reply === undefined) return
        if (step.how !== 'by another') {
          // Not awaited: other replies go on while this one's end is on its way to disk.
          end(reply, lease, step.how)
          return
        }
        running.delete(reply.id)
        const outcome = await endByOther(mortal.store, session, reply.id, { at: time })
        if (outcome.type !== 'finished') throw new Error(`expected an end, got "${outcome.type}"`)
        reply.isCorrected = true
        reply.texts.set('ANSWER', outcome.reply.text).set('REASONING', outcome.reply.reasoning)
        return
      }
      case 'read': {
        const reader = choose(readers, step.reader)
        if (reader !== undefined && (await read(reader, step.maxLength)) === undefined) {
          expect(trims).toBeGreaterThan(0)
        }
        return
      }
      case 'join':
        await join(step)
        return
      case 'resume': {
        const reader = choose(readers, step.reader)
        const past = reader?.past.at(-1 - step.back)
        if (reader !== undefined && past !== undefined) {
          readers.push(newReader(reader.filter, past.position, past))
        }
        return
      }
      case 'trim': {
        await Promise.all(finishing)
        for (const reader of readers) while ((await read(reader, 20_000))?.length) {}
        trims += await mortal.store.log.trim(time)
        // Nobody has lost anything, but who stands at an event that was deleted may not be able to go on from there.
        for (const reader of readers.filter(({ filter }) => Object.keys(filter).length === 0)) {
          const wasAtDeleted = isAtDeleted(reader)
          const items = await read(reader, 1)
          if (items === undefined) expect(wasAtDeleted).toBe(true)
          else expect(items).toEqual([])
        }
        return
      }
      case 'delete': {
        const reply = choose(told, step.reply)
        if (reply === undefined || reply.isDeleted || running.has(reply.id)) return
        await Promise.all(finishing)
        await mortal.store.ledger.deleteConversation(session, reply.conversationId, time)
        reply.isDeleted = true
        return
      }
      case 'crash': {
        await Promise.all(finishing)
        await mortal.crash()
        running.clear()
        for (const { lease } of await mortal.store.ledger.orphans()) {
          const reply = ofReply(lease.reply.id)
          if (reply === undefined) throw new Error('a reply of nobody is taken over')
          running.set(reply.id, lease)
          reply.isCorrected = true
          reply.texts.set('ANSWER', lease.answer).set('REASONING', lease.reasoning)
        }
        for (const reader of readers) reader.position = structuredClone({ ...reader.position })
        for (const { past } of readers) {
          for (const entry of past) entry.position = structuredClone({ ...entry.position })
        }
      }
    }
  }

  async function join(step: Extract<Step, { readonly do: 'join' }>): Promise<void> {
    const reply = choose(told, step.reply)
    if (reply === undefined) return
    const { id: replyId, conversationId } = reply
    const filters = { none: {}, reply: { replyId }, conversation: { conversationId } }
    const filter = filters[step.filter]
    if (step.from === 'beginning') {
      readers.push(newReader(filter, beginning))
      return
    }
    await Promise.all(finishing)
    if (step.from === 'end') {
      const texts = new Map<string, string>()
      for (const { id, texts: own } of told) {
        for (const [kind, text] of own) texts.set(`${id} ${kind}`, shownOf(id, text))
      }
      const ended = told.map(({ id }) => id).filter((id) => !running.has(id))
      readers.push(newReader(filter, await mortal.store.log.end(session.id), { texts, ended }))
      return
    }
    const start = await mortal.store.log.start(session.id, replyId)
    if (start === undefined || start === 'expired') {
      expect(start === undefined ? reply.isDeleted : trims > 0).toBe(true)
      return
    }
    readers.push(newReader({ replyId }, start))
  }

  /** Ends all that runs and lets every reader come to the end. */
  async function conclude(): Promise<void> {
    for (const [id, lease] of running) {
      const reply = ofReply(id)
      if (reply !== undefined) end(reply, lease, 'completed')
    }
    await Promise.all(finishing)
    const [first] = readers
    for (const reader of readers) {
      while ((await read(reader, 20_000))?.length) {}
      expect(new Set(reader.ended).size).toBe(reader.ended.length)
    }
    if (first === undefined || !readers.includes(first)) return
    // Who read from the beginning has met each end.
    const ends = told.filter(({ isDeleted }) => !isDeleted).map(({ id }) => id)
    expect(first.ended).toEqual(expect.arrayContaining(ends))
  }

  return { take, conclude }
}

/** An offset that is not behind the first half of a character. */
function outOfPair(text: string, offset: number): number {
  return isHighSurrogate(text.charCodeAt(offset - 1)) ? offset - 1 : offset
}
