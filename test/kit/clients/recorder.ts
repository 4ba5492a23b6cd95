import {
  RepliesDocument,
  type RepliesSubscription,
} from '../../../schema/operations/generated/graphql.ts'
import type { Client } from './client.ts'
import type { Stream } from './stream.ts'
import { openConnection } from '../history/connection.ts'
import type { History, SeenBody, SeenEvent, Step } from '../history/history.ts'

/** One `next` of the `replies` subscription. */
export type ReplyEventData = RepliesSubscription['replies']

export interface GraphError {
  readonly message: string
  readonly extensions?: { readonly code?: string; readonly resumeAfter?: string }
}

export interface NextData {
  readonly data?: RepliesSubscription | null
  readonly errors?: readonly GraphError[]
}

export interface Following {
  readonly reader: string
  readonly as: string
  readonly token: string
  readonly replyId?: string
  readonly conversationId?: string
  /** Resumes from here, by `Last-Event-ID` unless `by` says otherwise. */
  readonly after?: string | undefined
  readonly by?: 'header' | 'argument'
  readonly method?: 'GET' | 'POST'
  readonly cutAfter?: number
}

/** What one connection saw. */
export interface Followed {
  readonly stream: Stream
  /** Takes the next event and records it; undefined once the stream has ended. */
  next(deadlineMs?: number): Promise<ReplyEventData | undefined>
  /** Takes events until `isEnough`, or the end. Answers all of this call. */
  take(
    isEnough?: (event: ReplyEventData) => boolean,
    deadlineMs?: number,
  ): Promise<ReplyEventData[]>
  /** What to resume from. */
  readonly cursor: string | undefined
  /** The errors that ended the stream. */
  readonly errors: readonly GraphError[]
}

/** Writes the history of a run while it happens. */
export interface Recorder {
  readonly history: History
  add(step: Step): void
  follow(client: Client, following: Following): Promise<Followed>
}

export function createRecorder(): Recorder {
  const history: Step[] = []

  async function follow(client: Client, following: Following): Promise<Followed> {
    const { reader, as, token, replyId, conversationId, after, by = 'header' } = following
    const errors: GraphError[] = []
    const stream = await client.stream({
      token,
      query: RepliesDocument.toString(),
      variables: {
        ...(replyId !== undefined && { replyId }),
        ...(conversationId !== undefined && { conversationId }),
        ...(after !== undefined && by === 'argument' && { after }),
      },
      lastEventId: by === 'header' ? after : undefined,
      ...(following.method && { method: following.method }),
      ...(following.cutAfter !== undefined && { cutAfter: following.cutAfter }),
    })
    const connection =
      stream.status === 200
        ? openConnection(history, {
            reader,
            as,
            ...(replyId !== undefined && { replyId }),
            ...(conversationId !== undefined && { conversationId }),
            ...(after !== undefined && { after }),
          })
        : undefined
    let over = false

    async function next(deadlineMs?: number) {
      const frame = await stream.next(deadlineMs)
      if (frame === undefined) {
        if (!over) connection?.end(errors.length > 0 ? 'error' : await stream.ended)
        over = true
        return undefined
      }
      const { data, errors: problems } = JSON.parse(frame.data ?? 'null') as NextData
      for (const problem of problems ?? []) {
        errors.push(problem)
        const code = problem.extensions?.code ?? 'none'
        history.push({ type: 'refused', where: 'stream', code })
      }
      const event = data?.replies
      if (event === undefined) return next(deadlineMs)
      if (frame.id !== event.cursor) throw new Error(`id ${frame.id} is not ${event.cursor}`)
      connection?.see(toSeen(event))
      return event
    }

    return {
      stream,
      next,
      get cursor() {
        return connection?.cursor
      },
      errors,
      async take(isEnough = () => false, deadlineMs) {
        const events: ReplyEventData[] = []
        for (;;) {
          const event = await next(deadlineMs)
          if (event === undefined) return events
          events.push(event)
          if (isEnough(event)) return events
        }
      },
    }
  }

  return { history, add: (step) => void history.push(step), follow }
}

export function isTerminal(event: ReplyEventData): boolean {
  return ['ReplyCompleted', 'ReplyFailed', 'ReplyCancelled'].includes(event.__typename)
}

export function toSeen(event: ReplyEventData): SeenEvent {
  const { cursor, replyId } = event
  return { cursor, replyId, body: toBody(event) }
}

function toBody(event: ReplyEventData): SeenBody {
  switch (event.__typename) {
    case 'ReplyStarted':
      return { type: 'started' }
    case 'ReplyDelta':
      return { type: 'delta', kind: event.kind, offset: event.offset, text: event.text }
    case 'ReplyActionRequired':
      return { type: 'action-required' }
    case 'ReplyCompleted':
      return { type: 'completed', text: event.text }
    case 'ReplyFailed':
      return { type: 'failed', code: event.failure.code }
    case 'ReplyCancelled':
      return { type: 'cancelled' }
  }
}
