import { AsyncLocalStorage } from 'node:async_hooks'
import { Buffer } from 'node:buffer'
import { getEventListeners } from 'node:events'
import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CozeError } from '../../../src/coze/errors.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import { type EventStream, openEventStream } from '../../../src/coze/event-stream.ts'
import type { Send, WireSink } from '../../../src/coze/wire.ts'
import { createTurns } from '../../../src/lib/turns.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { completed, created, delta, done, run } from './wire-samples.ts'

const origin = { call: 'bot-chat', host: 'x' } as const
const request = {
  origin: 'http://x',
  path: '/',
  method: 'POST',
  headers: {},
  body: '',
  connection: 'kept-alive',
} as const
const timeouts = { connectMs: 5, firstEventMs: 50, idleMs: 100, totalMs: 1_000 }
const limits = {
  maxEventBytes: 10_000,
  maxReplyBytes: 10_000,
  maxReplyEvents: 10_000,
  maxJsonBytes: 1_000,
}

/** Turns that streams share, and what begins the next one. */
function share(perTurn: number) {
  const nextTurns: (() => void)[] = []
  return { turns: createTurns(perTurn, (run) => void nextTurns.push(run)), nextTurns }
}

/** The first pieces of a stream, which wait for no turn. */
const firstPieces = [':\n\n', ':\n\n', ':\n\n']

/** An exchange in the test's hands: it plays the upstream, and sees what is done to the connection. */
function open({ isSent = true, perTurn = 1_000_000, shared = share(perTurn) } = {}) {
  const clock = createFakeClock()
  const controller = new AbortController()
  const acts: string[] = []
  const sinks: WireSink[] = []
  const send: Send = (_request, sink) => {
    sinks.push(sink)
    return {
      abort: () => acts.push('abort'),
      pause: () => acts.push('pause'),
      resume: () => acts.push('resume'),
    }
  }
  const metrics = { upstreamOddity: () => undefined, upstreamError: () => undefined }
  const turns = shared.turns.of(controller)
  const options = { send, clock, metrics, origin, turns, limits, timeouts }
  const stream = openEventStream(request, options, controller.signal)
  stream.catch(() => undefined)
  const [sink] = sinks
  if (sink === undefined) throw new Error('nothing was sent')
  if (isSent) sink.onSent(false)
  return {
    clock,
    controller,
    acts,
    async nextTurn() {
      for (const turn of shared.nextTurns.splice(0)) turn()
      await settled()
    },
    sink,
    stream,
    head: () => sink.onHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }),
    say: (...texts: readonly string[]) => texts.forEach((text) => sink.onData(Buffer.from(text))),
    listeners: () => getEventListeners(controller.signal, 'abort').length,
  }
}

const name = (event: CozeEvent) => (event.type === 'delta' ? `delta ${event.text}` : event.type)

/** Reads a stream, and gives its batches one by one, each event by its type; undefined after its end. */
function listen(stream: EventStream) {
  const batches: (readonly string[])[] = []
  let wake = () => {}
  const take = (events: readonly CozeEvent[]) => {
    batches.push(events.map(name))
    wake()
    return undefined
  }
  const over = stream.read(take)
  over.then(wake, () => undefined)
  return {
    over,
    async next() {
      const woken = new Promise<void>((resolve) => (wake = resolve))
      if (batches.length === 0) await Promise.race([woken, over])
      return batches.shift()
    },
  }
}

const taken = new Error('the taker failed')
const bad = (): never => {
  throw taken
}

async function failure(promise: Promise<unknown>): Promise<CozeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof CozeError) return error
  throw new Error('no CozeError', { cause: error })
}

describe('event stream', () => {
  it('takes turns where it brings much at once: its connection is paused until then, and nothing is lost', async () => {
    const upstream = open({ perTurn: 5_000 })
    upstream.head()
    const stream = listen(await upstream.stream)
    const piece = `: ${'x'.repeat(9_000)}\n\n${delta('a')}`
    upstream.say(...firstPieces, piece)
    expect(upstream.acts).toEqual([])
    expect(await stream.next()).toEqual(['delta a'])
    // This turn of the event loop has read as much as it may.
    upstream.say(piece, piece)
    expect(upstream.acts).toEqual(['pause'])
    const next = stream.next()
    await upstream.nextTurn()
    expect(upstream.acts).toEqual(['pause', 'resume'])
    expect(await next).toEqual(['delta aa'])
  })

  it('reads what waits for its turn before the end of its body', async () => {
    const upstream = open({ perTurn: 1 })
    upstream.head()
    const stream = listen(await upstream.stream)
    upstream.say(...firstPieces, 'x'.repeat(8_200), `\n\n${created}${delta('a')}`, completed + done)
    upstream.sink.onEnd()
    expect(await stream.next()).toEqual(['created', 'delta a', 'completed', 'done'])
  })

  it('gives the first words of a stream at once, however many streams speak', async () => {
    const shared = share(1)
    const [speaking, beginning] = [open({ shared }), open({ shared })]
    speaking.head()
    speaking.say(...firstPieces, created + delta('a'), delta('b'))
    expect(speaking.acts).toEqual(['pause'])
    beginning.head()
    const stream = listen(await beginning.stream)
    beginning.say(created, delta('a'))
    expect(await stream.next()).toEqual(['created', 'delta a'])
    expect(beginning.acts).toEqual([])
    beginning.say(delta('b'), delta('c'))
    expect(beginning.acts).toEqual(['pause'])
  })

  it('lets a stream that is written as a model speaks go on before those that bring much, in the next turn', async () => {
    const shared = share(1)
    const [loud, quiet] = [open({ shared }), open({ shared })]
    const streams = []
    for (const upstream of [loud, quiet]) {
      upstream.head()
      upstream.say(...firstPieces)
      streams.push(listen(await upstream.stream))
    }
    loud.say(created + delta('a'), delta('b'))
    quiet.say(created, delta('a'))
    expect([loud.acts, quiet.acts]).toEqual([['pause'], ['pause']])
    await quiet.nextTurn()
    expect([loud.acts, quiet.acts]).toEqual([['pause'], ['pause', 'resume']])
    expect(await streams[1]?.next()).toEqual(['created', 'delta a'])
    await loud.nextTurn()
    expect(loud.acts).toEqual(['pause', 'resume'])
  })

  it('gives all that is there as one batch, and none for a piece that completes nothing', async () => {
    const upstream = open()
    upstream.head()
    const stream = listen(await upstream.stream)
    upstream.say(created + delta('a'), `${delta('b')}data: `)
    expect(await stream.next()).toEqual(['created', 'delta ab'])
    const next = stream.next()
    upstream.say(': still here\n')
    upstream.say(`x\n\n${delta('c')}`)
    expect(await next).toEqual(['delta c'])
    upstream.say(completed + done)
    expect(await stream.next()).toEqual(['completed', 'done'])
    expect(await stream.next()).toBeUndefined()
  })

  it('hands over what a read brought before anything else can happen', async () => {
    const upstream = open()
    upstream.head()
    const stream = await upstream.stream
    const batches: number[] = []
    const over = stream.read((events) => void batches.push(events.length))
    upstream.say(created, delta('a'))
    // The microtasks of the read: no timer, no promise of ours comes before them.
    queueMicrotask(() => batches.push(0))
    await Promise.resolve()
    expect(batches).toEqual([2, 0])
    upstream.say(completed)
    await over
    expect(batches).toEqual([2, 0, 1])
  })

  it('hands over in the context of who reads, whoever opened the connection', async () => {
    const upstream = open()
    upstream.head()
    const context = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    const stream = await upstream.stream
    const take = () => {
      seen.push(context.getStore())
      return seen.length === 2 ? Promise.resolve() : undefined
    }
    const over = context.run('reader', async () => stream.read(take))
    const bring = async (text: string) => {
      context.run('opener', () => upstream.say(text))
      await settled()
    }
    await bring(created)
    await bring(delta('a'))
    await bring(delta('b'))
    context.run('opener', () => {
      upstream.say(delta('c'))
      upstream.sink.onError(new Error('reset'))
    })
    await failure(over)
    expect(seen).toEqual(['reader', 'reader', 'reader', 'reader'])
  })

  it('pauses the connection while its taker works, and loses nothing that comes all the same', async () => {
    const upstream = open()
    upstream.head()
    const stream = await upstream.stream
    const works: PromiseWithResolvers<void>[] = []
    const batches: (readonly string[])[] = []
    const over = stream.read(async (events) => {
      batches.push(events.map(name))
      const work = Promise.withResolvers<void>()
      works.push(work)
      await work.promise
    })
    upstream.say(created)
    await settled()
    expect(upstream.acts).toEqual(['pause'])
    upstream.say(delta('x'), delta('y'))
    // A silence of our own making is no fault of the upstream's.
    upstream.clock.advance(500)
    expect(batches).toEqual([['created']])
    works[0]?.resolve()
    await settled()
    // It stays paused: the taker works at what came meanwhile.
    expect(batches.slice(1)).toEqual([['delta xy']])
    expect(upstream.acts).toEqual(['pause'])
    works[1]?.resolve()
    await settled()
    expect(upstream.acts).toEqual(['pause', 'resume'])
    upstream.clock.advance(99)
    upstream.say(completed + done)
    await settled()
    works[2]?.resolve()
    await over
    expect(batches.slice(2)).toEqual([['completed', 'done']])
  })

  it('fails after what came before was taken, however long that takes', async () => {
    const upstream = open()
    upstream.head()
    const stream = await upstream.stream
    const work = Promise.withResolvers<void>()
    const batches: (readonly string[])[] = []
    const over = stream.read((events) => {
      batches.push(events.map(name))
      return batches.length === 1 ? work.promise : undefined
    })
    upstream.say(created)
    await settled()
    upstream.say(delta('a'))
    upstream.sink.onError(new Error('reset'))
    await settled()
    expect(batches).toEqual([['created']])
    work.resolve()
    expect(await failure(over)).toMatchObject({ kind: 'truncated', accepted: 'yes' })
    expect(batches).toEqual([['created'], ['delta a']])
  })

  it.each([
    ['throws', () => bad()],
    ['rejects', async () => bad()],
  ])('fails with what its taker %s, and gives it nothing more', async (_how, take) => {
    const upstream = open()
    upstream.head()
    const stream = await upstream.stream
    let calls = 0
    const over = stream.read(() => {
      calls += 1
      return take()
    })
    over.catch(() => undefined)
    upstream.say(created)
    await settled()
    upstream.say(delta('a'))
    await expect(over).rejects.toBe(taken)
    expect(calls).toBe(1)
    expect(upstream.acts).toContain('abort')
    expect(upstream.listeners()).toBe(0)
    expect(upstream.clock.pending).toBe(0)
  })

  it('ends under its signal only when its taker has settled, and gives it nothing more', async () => {
    const upstream = open()
    upstream.head()
    const stream = await upstream.stream
    const work = Promise.withResolvers<void>()
    let calls = 0
    let isOver = false
    const over = stream
      .read(() => {
        calls += 1
        return work.promise
      })
      .finally(() => (isOver = true))
    upstream.say(created)
    await settled()
    upstream.say(delta('a'))
    const reason = new Error('cancelled')
    upstream.controller.abort(reason)
    await settled()
    expect(upstream.acts).toEqual(['pause', 'abort'])
    expect(isOver).toBe(false)
    work.resolve()
    await expect(over).rejects.toBe(reason)
    expect(calls).toBe(1)
    expect(upstream.clock.pending).toBe(0)
  })

  it('F10 fails when there is no connection in time', async () => {
    const { stream, clock, acts } = open({ isSent: false })
    clock.advance(5)
    expect(await failure(stream)).toMatchObject({ kind: 'unavailable', accepted: 'no' })
    expect(acts).toEqual(['abort'])
  })

  it('F10 fails when the first event is late, with or without a head', async () => {
    const silent = open()
    silent.clock.advance(50)
    expect(await failure(silent.stream)).toMatchObject({ kind: 'timeout', accepted: 'unknown' })

    const upstream = open()
    upstream.head()
    upstream.clock.advance(49)
    upstream.say(': a comment is no event\n\n')
    upstream.clock.advance(1)
    const stream = listen(await upstream.stream)
    expect(await failure(stream.over)).toMatchObject({ kind: 'timeout', accepted: 'unknown' })
    expect(upstream.acts).toEqual(['abort'])
  })

  it('F10 fails when the stream falls silent, after what it said', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(created)
    for (let reads = 0; reads < 3; reads += 1) {
      upstream.clock.advance(99)
      upstream.say(delta('x'))
    }
    upstream.clock.advance(100)
    const stream = listen(await upstream.stream)
    expect(await stream.next()).toEqual(['created', 'delta xxx'])
    expect(await failure(stream.over)).toMatchObject({ kind: 'timeout', accepted: 'yes' })
    expect(upstream.acts).toEqual(['abort'])
    expect(upstream.clock.pending).toBe(0)
  })

  it('F15 fails when the whole takes too long', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(created)
    for (let ms = 0; ms < 1_000; ms += 50) {
      upstream.say(delta('x'))
      upstream.clock.advance(50)
    }
    const stream = listen(await upstream.stream)
    expect(await stream.next()).toEqual(['created', `delta ${'x'.repeat(20)}`])
    expect(await failure(stream.over)).toMatchObject({ kind: 'limit', accepted: 'yes' })
    expect(upstream.acts).toEqual(['abort'])
  })

  it.each([
    ['breaks off', (sink: WireSink) => sink.onError(new Error('reset'))],
    ['ends', (sink: WireSink) => sink.onEnd()],
    ['says done', (sink: WireSink) => sink.onData(Buffer.from(`\n${done}`))],
  ])('F9 fails when the stream %s before the run has ended', async (_how, end) => {
    const upstream = open()
    upstream.head()
    upstream.say(created + delta('a'), 'event: conversation.message.delta\n')
    end(upstream.sink)
    const stream = listen(await upstream.stream)
    const isSaid = upstream.acts.length > 0
    expect(await stream.next()).toEqual(['created', 'delta a', ...(isSaid ? ['done'] : [])])
    expect(await failure(stream.over)).toMatchObject({ kind: 'truncated', accepted: 'yes' })
    expect(upstream.clock.pending).toBe(0)
  })

  it('takes nothing that happens after the end of the run for a failure', async () => {
    const ends: readonly ((upstream: ReturnType<typeof open>) => unknown)[] = [
      ({ sink }) => sink.onError(new Error('reset')),
      ({ sink }) => sink.onEnd(),
      ({ clock }) => clock.advance(100),
      ({ say }) => say('data: x\n\n'.repeat(10_001)),
    ]
    for (const end of ends) {
      const upstream = open()
      upstream.head()
      upstream.say(created + completed)
      await end(upstream)
      const stream = listen(await upstream.stream)
      expect(await stream.next()).toEqual(['created', 'completed'])
      expect(await stream.next()).toBeUndefined()
    }
  })

  it('keeps the connection of an ended run, if its body ends soon', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(created + completed)
    await listen(await upstream.stream).over
    upstream.say(done)
    upstream.sink.onEnd()
    upstream.clock.advance(10_000)
    expect(upstream.acts).not.toContain('abort')
    expect(upstream.clock.pending).toBe(0)
  })

  it('closes the connection of an ended run whose body goes on', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(run('a'))
    await upstream.stream
    upstream.clock.advance(1_000)
    expect(upstream.acts).toContain('abort')
  })

  it('closes the connection when the consumer leaves in the middle', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(created)
    const stream = await upstream.stream
    stream[Symbol.dispose]()
    expect(upstream.acts).toEqual(['abort'])
    expect(upstream.listeners()).toBe(0)
    expect(upstream.clock.pending).toBe(0)
  })

  it('ends at once with the reason of its signal, whatever waits', async () => {
    const upstream = open()
    upstream.head()
    upstream.say(created, delta('a'))
    const stream = listen(await upstream.stream)
    await stream.next()
    const reason = new Error('cancelled')
    upstream.controller.abort(reason)
    await expect(stream.next()).rejects.toBe(reason)
    expect(upstream.acts).toEqual(['abort'])
    expect(upstream.clock.pending).toBe(0)
  })

  it('wakes a waiting consumer when its signal aborts', async () => {
    const upstream = open()
    upstream.head()
    const stream = listen(await upstream.stream)
    const waiting = stream.next()
    const reason = new Error('cancelled')
    upstream.controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  it('sends nothing under a signal that has aborted', async () => {
    let sends = 0
    const send: Send = () => {
      sends += 1
      throw new Error('sent')
    }
    const reason = new Error('cancelled')
    const metrics = { upstreamOddity: () => undefined, upstreamError: () => undefined }
    const turns = createTurns(1)
    const options = { send, clock: createFakeClock(), metrics, origin, turns, limits, timeouts }
    await expect(openEventStream(request, options, AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(sends).toBe(0)
  })
})
