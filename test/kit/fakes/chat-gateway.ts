import { setImmediate as turn } from 'node:timers/promises'
import {
  ChatError,
  type ChatErrorCode,
  type DataResult,
  type ReplyEvent,
  type ReplyState,
  type Request,
  type StreamSink,
  type Transport,
} from '../../../src/client/client.ts'
import type { Platform } from '../../../src/client/platform.ts'
import { createFakeClock } from './clock.ts'

export const keepAliveMs = 12_000

/** A reply that has just been accepted. */
export const accepted = (id: string, more: Partial<ReplyState> = {}): ReplyState => ({
  id,
  status: 'QUEUED',
  text: '',
  reasoning: '',
  queuePosition: 0,
  followUps: [],
  question: null,
  omitted: [],
  toolCalls: [],
  actionExpiresAt: null,
  contextReset: false,
  upstreamCancelled: false,
  usage: null,
  failure: null,
  conversation: { id: 'c1' },
  message: { id: 'm1', text: 'hello' },
  answer: null,
  ...more,
})
export const started = (replyId: string, cursor: string): ReplyEvent => ({
  __typename: 'ReplyStarted',
  replyId,
  cursor,
})
export const delta = (
  replyId: string,
  cursor: string,
  offset: number,
  text: string,
): ReplyEvent => ({ __typename: 'ReplyDelta', kind: 'ANSWER', replyId, cursor, offset, text })
export const completed = (replyId: string, cursor: string, text: string): ReplyEvent => ({
  __typename: 'ReplyCompleted',
  replyId,
  cursor,
  text,
  followUps: [],
  question: null,
  omitted: [],
  contextReset: false,
  usage: null,
  reply: { answer: { id: 'm2' } },
})

/** A stream as the gateway's side has it. */
export interface FakeStream {
  readonly after: unknown
  readonly authorization: string | undefined
  /** Whether the client has left it. */
  readonly isClosed: boolean
  readonly pings: number
  comment(): void
  send(...events: readonly ReplyEvent[]): void
  retry(ms: number): void
  /** The connection is lost, or it ends with an error. */
  end(code?: ChatErrorCode, more?: { readonly resumeAfter?: string }): void
}

/** The gateway as a transport shows it, at the pace of a test. */
export function createFakeChatGateway() {
  const clock = createFakeClock()
  const streams: FakeStream[] = []
  const requests: Request[] = []
  const wakes = new Set<(isNewNetwork: boolean) => void>()
  /** What the next requests meet, before `answer` is asked. */
  const troubles: (ChatErrorCode | 'LOST')[] = []
  const state = { cursor: 'c0', fingerprint: 'alice', replies: new Map<string, ReplyState>() }
  let sent = 0
  let drawn = 0

  const platform: Platform = {
    now: () => clock.monotonic(),
    // Each number is another one, and no back-off is longer than half of what it may be.
    random: () => 0.5 - (drawn += 1) / 1e9,
    timer(ms, ring) {
      const timer = clock.timer(ms, ring)
      return () => timer[Symbol.dispose]()
    },
  }

  function answer({ operation: { query, variables = {} } }: Request): object {
    const { ids, input } = variables as { ids?: readonly string[]; input?: object }
    if (query.includes('nodes(')) {
      if (new Set(ids).size !== ids?.length) throw new Error('an id is asked for twice')
      const viewer = {
        sessionFingerprint: state.fingerprint,
        eventCursor: state.cursor,
        keepAliveMs,
      }
      return { viewer, nodes: (ids ?? []).map((id) => state.replies.get(id) ?? null) }
    }
    if (query.includes('sendMessage')) {
      const key: string = Reflect.get(input ?? {}, 'idempotencyKey')
      const known = [...keys].find(([other]) => other === key)?.[1]
      const reply = known ?? accepted(`r${(sent += 1)}`)
      keys.set(key, reply)
      return { outcome: { reply } }
    }
    throw new Error(`nobody has told how to answer ${query}`)
  }
  const keys = new Map<string, ReplyState>()

  const transport: Transport = {
    async request<Data>(request: Request): Promise<DataResult<Data>> {
      requests.push(request)
      await turn()
      // A message is answered before the state is, so that what is sent and followed at once comes in this order.
      if (request.operation.query.includes('nodes(')) await turn()
      const trouble = troubles.shift()
      if (trouble !== undefined && trouble !== 'LOST') {
        throw new ChatError({ code: trouble, message: trouble })
      }
      const data = answer(request)
      // The gateway has done it, and its response is lost.
      if (trouble === 'LOST') throw new ChatError({ code: 'NETWORK', message: 'lost' })
      return JSON.parse(JSON.stringify({ data }))
    },
    subscribe<Data>({ operation, headers }: Request, sink: StreamSink<Data>) {
      let isClosed = false
      let pings = 0
      const give = (result: object, cursor: string) =>
        sink.next(JSON.parse(JSON.stringify(result)), cursor)
      streams.push({
        after: operation.variables?.['after'],
        authorization: headers['authorization'],
        get isClosed() {
          return isClosed
        },
        get pings() {
          return pings
        },
        comment: () => isClosed || sink.alive(),
        send(...events) {
          for (const replies of events) {
            if (isClosed) return
            sink.alive()
            give({ data: { replies } }, replies.cursor)
          }
        },
        retry: (ms) => sink.retry(ms),
        end(code, more) {
          if (!isClosed) sink.end(code && new ChatError({ code, message: code, ...more }))
        },
      })
      return { close: () => void (isClosed = true), ping: () => void (pings += 1) }
    },
    async upload() {
      throw new Error('nobody uploads here')
    },
    onWake(listener) {
      wakes.add(listener)
      return () => wakes.delete(listener)
    },
  }
  return {
    clock,
    platform,
    transport,
    streams,
    requests,
    state,
    troubles,
    /** The stream that was opened last, once the client has done what it can. */
    stream: async (): Promise<FakeStream> => {
      await clock.pass(0)
      const last = streams.at(-1)
      if (!last) throw new Error('no stream was opened')
      return last
    },
    wake: (isNewNetwork: boolean) => wakes.forEach((listener) => listener(isNewNetwork)),
  }
}
