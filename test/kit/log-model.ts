import fc from 'fast-check'
import { expect } from 'vitest'
import type { DeltaKind, Position } from '../../src/domain.ts'
import type { Claim } from '../../src/store/ledger.ts'
import type { EventFilter } from '../../src/store/log.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import { beginning, completed, finish, openSession, runReply, textsOf } from './stored-replies.ts'

/** What may happen to one session's log. Numbers choose among what there is. */
export const readerSteps = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      reply: fc.nat(),
      kind: fc.constantFrom<DeltaKind>('ANSWER', 'ANSWER', 'REASONING'),
      /** Mostly the end; else a correction from this share of the text. */
      from: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.constantFrom(0, 0.3, 0.8)),
      text: fc.oneof(
        { weight: 8, arbitrary: fc.string({ maxLength: 6 }) },
        fc.constant('long '.repeat(1800)),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const), reply: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      reader: fc.nat(),
      maxLength: fc.constantFrom(1, 10, 10_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      filter: fc.constantFrom('none', 'reply', 'conversation'),
      reply: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('resume' as const), reader: fc.nat(), back: fc.nat(5) }),
  },
)

type Step = typeof readerSteps extends fc.Arbitrary<infer T> ? T : never

interface Reader {
  readonly filter: EventFilter
  position: Position
  texts: Map<string, string>
  readonly ended: string[]
  /** Where it was, with what it held there: what a client may resume from. */
  readonly past: { readonly position: Position; readonly texts: Map<string, string> }[]
}

/** Runs steps against a log, and checks readers against what was written. */
export async function logModel(store: ReplyStore) {
  const session = await openSession(store.ledger)
  const claims: Claim[] = []
  const running = new Set<Claim>()
  const finishing = new Set<Promise<unknown>>()
  const texts = new Map<string, string>()
  const readers: Reader[] = [newReader({}, beginning, new Map())]

  function newReader(filter: EventFilter, position: Position, held: Map<string, string>): Reader {
    return {
      filter,
      position,
      texts: new Map(held),
      ended: [],
      past: [{ position, texts: new Map(held) }],
    }
  }

  const choose = <T>(from: readonly T[], index: number) => from[index % Math.max(1, from.length)]

  async function read(reader: Reader, maxLength: number): Promise<boolean> {
    const events = await store.log.read(session.id, reader.position, reader.filter, maxLength)
    if (events === 'trimmed') throw new Error('unexpectedly trimmed')
    for (const event of events) {
      const { epoch, seq } = reader.position
      expect(event.epoch > epoch || (event.epoch === epoch && event.seq > seq)).toBe(true)
      expect(reader.ended).not.toContain(event.replyId)
      textsOf([event], reader.texts)
      if (event.type !== 'delta' && event.type !== 'started') reader.ended.push(event.replyId)
      reader.position = { epoch: event.epoch, seq: event.seq }
      reader.past.push({ position: reader.position, texts: new Map(reader.texts) })
    }
    // What comes after an end that is on its way to disk waits with it.
    if (events.length === 0 && finishing.size === 0) compare(reader)
    return events.length > 0
  }

  function end(claim: Claim, text: string): void {
    const ending: Promise<unknown> = finish(store.ledger, claim, completed(text)).finally(() =>
      finishing.delete(ending),
    )
    finishing.add(ending)
  }

  /** A reader at the end of the log holds exactly what was written. */
  function compare({ filter, texts: held }: Reader): void {
    for (const { reply } of claims) {
      if (filter.replyId !== undefined && filter.replyId !== reply.id) continue
      if (filter.conversationId !== undefined && filter.conversationId !== reply.conversationId) {
        continue
      }
      for (const kind of ['ANSWER', 'REASONING']) {
        const key = `${reply.id} ${kind}`
        expect(held.get(key) ?? '').toBe(texts.get(key) ?? '')
      }
    }
  }

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case 'begin': {
        const claim = await runReply(store, session)
        claims.push(claim)
        running.add(claim)
        return
      }
      case 'append': {
        const claim = choose([...running], step.reply)
        if (claim === undefined) return
        const key = `${claim.reply.id} ${step.kind}`
        const before = texts.get(key) ?? ''
        const offset = Math.floor(before.length * step.from)
        texts.set(key, before.slice(0, offset) + step.text)
        const { kind, text } = step
        await store.log.append(session.id, claim.reply.id, claim.fence, [{ kind, offset, text }])
        return
      }
      case 'finish': {
        const claim = choose([...running], step.reply)
        if (claim === undefined) return
        running.delete(claim)
        const text = texts.get(`${claim.reply.id} ANSWER`) ?? ''
        // Not awaited: other replies go on while this one's end is on its way to disk.
        end(claim, text)
        return
      }
      case 'read': {
        const reader = choose(readers, step.reader)
        if (reader !== undefined) await read(reader, step.maxLength)
        return
      }
      case 'join': {
        const reply = choose(claims, step.reply)?.reply
        const filter =
          step.filter === 'none' || reply === undefined
            ? {}
            : step.filter === 'reply'
              ? { replyId: reply.id }
              : { conversationId: reply.conversationId }
        readers.push(newReader(filter, beginning, new Map()))
        return
      }
      case 'resume': {
        const reader = choose(readers, step.reader)
        const past = reader?.past.at(-1 - step.back)
        if (reader !== undefined && past !== undefined) {
          readers.push(newReader(reader.filter, past.position, past.texts))
        }
      }
    }
  }

  /** Ends all that runs and lets every reader come to the end. */
  async function conclude(): Promise<void> {
    for (const claim of running) {
      const text = texts.get(`${claim.reply.id} ANSWER`) ?? ''
      end(claim, text)
    }
    await Promise.all(finishing)
    for (const reader of readers) while (await read(reader, 20_000)) {}
    // Who read from the beginning has met each end exactly once.
    const first = readers[0]
    expect(first?.ended.toSorted()).toEqual(
      claims.map(({ reply }) => reply.id as string).toSorted(),
    )
  }

  return { take, conclude }
}
