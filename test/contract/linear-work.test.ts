import fc from 'fast-check'
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import type { CozeEvent } from '../../src/coze/events.ts'
import { createStreamReader } from '../../src/coze/stream-reader.ts'
import type { Position } from '../../src/domain.ts'
import { createGuard } from '../../src/isolation/guard.ts'
import { createRunReader } from '../../src/reply/run-reader.ts'
import { startWorkerThread } from '../../src/store/sqlite/store.ts'
import { openMainHalf } from '../../src/store/main-half/main-half.ts'
import type { EngineListener, Engine } from '../../src/store/main-half/engine-client.ts'
import { createRunTranslator } from '../../src/strategy/run-events.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { countWork } from '../kit/fakes/counted-work.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { beginning, completed, finish, openSession, runReply } from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { chat, done, frame, message } from '../unit/coze/wire-samples.ts'
import { questionCard } from '../unit/coze/card-samples.ts'

/** What a body may be made of: `n` names a message, `size` says how much text. */
type Step = readonly [kind: Kind, n: number, size: number]
const kinds = [
  'delta',
  'reasoning',
  'both',
  'completes',
  'corrects',
  'empties',
  'follow-up',
  'tool',
  'verbose',
  'question',
  'parts',
] as const
type Kind = (typeof kinds)[number]

const letters = ['x', '中', '😀', '\\', '\u0001', 'word ']
const textOf = (n: number, size: number) => (letters[n % letters.length] ?? 'x').repeat(size)

/** The body of one run, as the platform sends it. */
function bodyOf(steps: readonly Step[]): Buffer {
  const said = new Map<number, string>()
  const event = (name: 'delta' | 'completed', n: number, text: string, more = {}) =>
    frame(`conversation.message.${name}`, message(text, { id: `${n + 1}`, ...more }))
  const frames = steps.map(([kind, n, size]) => {
    const text = textOf(n, size)
    const whole = said.get(n) ?? ''
    switch (kind) {
      case 'delta':
        said.set(n, whole + text)
        return event('delta', n, text)
      case 'reasoning':
        return event('delta', n, '', { reasoning_content: text })
      case 'both':
        said.set(n, whole + text)
        return event('delta', n, text, { reasoning_content: text })
      case 'completes':
        return event('completed', n, whole)
      case 'corrects':
        return event('completed', n, `${whole.slice(0, size)}!`)
      case 'empties':
        return event('completed', n, '')
      case 'follow-up':
        return event('completed', n, `${text}?`, { type: 'follow_up' })
      case 'tool':
        return event('completed', n, text, { type: 'tool_response' })
      case 'verbose':
        return event('completed', n, text, { type: 'verbose' })
      case 'question':
        return event('completed', n, JSON.stringify(questionCard()), { content_type: 'card' })
      case 'parts':
        return event('completed', n, JSON.stringify([{ type: 'text', text }]), {
          content_type: 'object_string',
        })
    }
  })
  const created = frame('conversation.chat.created', chat('created'))
  const end = frame('conversation.chat.completed', chat('completed'))
  return Buffer.from([created, ...frames, end, done].join(''))
}

/** Takes a body through the parser, the reader, the log and its readers, and counts the work. */
async function measure(body: Buffer, chunk: number, maxReplyBytes = 64 * 1_048_576) {
  const clock = createFakeClock()
  let written = 0
  const worker = { file: ':memory:', sessionKeyCheck: 'c', busyTimeoutMs: 1 }
  const start = (listener: EngineListener): Engine => {
    const thread = startWorkerThread(worker, listener)
    return {
      ...thread,
      post(calls) {
        written += charactersOf(calls)
        thread.post(calls)
      },
    }
  }
  await using store = await openMainHalf(start, {
    clock,
    logger: silentLogger,
    metrics: uncounted,
  })
  const session = await openSession(store.ledger)
  const lease = await runReply(store, session)
  written = 0
  let sent = 0

  /** Reads what is there after a position, as a subscriber does. */
  async function read(from: Position): Promise<Position> {
    let at = from
    for (;;) {
      const batch = await store.log.read(session.id, at, {}, 65_536)
      if (batch === 'expired') throw new Error('nothing expires here')
      if (batch.length === 0) return at
      for (const { event, position } of batch) {
        at = position
        sent += 'text' in event ? event.text.length : 0
      }
    }
  }

  const translator = createRunTranslator({ logId: undefined, retries: 0 })
  const runReader = createRunReader({
    guard: createGuard({ conversationId: undefined, chatId: undefined }),
    metrics: uncounted,
    clock,
    acceptedAt: 0,
    known: undefined,
    waitsFor: undefined,
    sentTo: undefined,
    maxReplyBytes,
    shown: { answer: '', reasoning: '' },
    record: () => undefined,
    show: (deltas) => lease.append(deltas),
  })
  const streamReader = createStreamReader({
    limits: { maxEventBytes: 8_388_608, maxReplyBytes: 64 * 1_048_576, maxReplyEvents: 100_000 },
    logId: undefined,
    metrics: uncounted,
    origin: { call: 'bot-chat', host: 'coze.test' },
  })
  using work = countWork()
  let at = await read(beginning)
  for (let from = 0; from < body.length; from += chunk) {
    const events: CozeEvent[] = []
    streamReader.read(body.subarray(from, from + chunk), events)
    const wait = runReader.take(translator.translate(events).events)
    if (wait !== undefined) {
      clock.advance(10)
      await wait
    }
    at = await read(at)
  }
  const { answer } = runReader
  await finish(lease, completed(answer))
  await read(at)
  const { characters } = work
  const live = sent
  sent = 0
  await read(beginning)
  return { answer, characters, written, live, late: sent }
}

/** Characters of all texts in a value. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let characters = 0
  for (const part of Object.values(value)) characters += charactersOf(part)
  return characters
}

/** For small bodies: rows, ids and names that do not grow. */
const overhead = 20_000

function expectLinear(body: Buffer, done: Awaited<ReturnType<typeof measure>>): void {
  const { length } = body
  expect({
    characters: done.characters <= 30 * length + overhead,
    written: done.written <= 5 * length + overhead,
    live: done.live <= 3 * length + overhead,
    late: done.late <= 3 * length + overhead,
  }).toEqual({ characters: true, written: true, live: true, late: true })
}

const step = fc.tuple(
  fc.constantFrom(...kinds, 'delta' as const, 'delta' as const, 'both' as const),
  fc.nat({ max: 5 }),
  fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 30 }) },
    { weight: 1, arbitrary: fc.nat({ max: 20_000 }) },
  ),
)
const repeated = (steps: readonly Step[], times: number): readonly Step[] =>
  Array.from({ length: times }, () => steps).flat()

describe("T25: the work for a run's bytes", () => {
  it('grows with their number, and with nothing else, whatever they say', async () => {
    const plan = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 12 }),
      times: fc.constantFrom(1, 1, 5, 100),
      chunk: fc.constantFrom(500, 4_096, 65_536),
    })
    await fc.assert(
      fc.asyncProperty(plan, async ({ steps, times, chunk }) => {
        const isLarge = steps.some(([, , size]) => size > 100)
        const body = bodyOf(repeated(steps, isLarge ? Math.min(times, 5) : times))
        expectLinear(body, await measure(body, chunk))
      }),
      { numRuns: 60 },
    )
  })

  it.each<readonly [string, readonly Step[]]>([
    ['one huge delta that comes in many pieces', [['delta', 0, 1_000_000]]],
    [
      'deltas of two messages that alternate',
      repeated(
        [
          ['delta', 0, 20],
          ['delta', 1, 20],
        ],
        1_500,
      ),
    ],
    [
      'deltas of six messages',
      repeated(
        [0, 1, 2, 3, 4, 5].map((n) => ['delta', n, 10]),
        500,
      ),
    ],
    [
      'many messages, each corrected',
      Array.from({ length: 6_000 }, (_, n): readonly Step[] => [
        ['delta', n, 20],
        ['corrects', n, 2],
      ]).flat(),
    ],
    [
      'one long message that is corrected again and again',
      [
        ['delta', 0, 50_000],
        ...repeated(
          [
            ['corrects', 0, 2],
            ['delta', 0, 5],
          ],
          1_000,
        ),
      ],
    ],
    [
      'many messages behind one that never ends',
      [['delta', 0, 10], ...Array.from({ length: 2_000 }, (_, n): Step => ['parts', n + 1, 20])],
    ],
  ])('is linear for %s', async (_, steps) => {
    const body = bodyOf(steps)
    expectLinear(body, await measure(body, 1_000))
  })
})
