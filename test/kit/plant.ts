import type { SeenBody, SeenEvent, Step } from './history.ts'

/** Steps to plant in a history by hand. */
export const started: SeenBody = { type: 'started' }
export const asks: SeenBody = { type: 'action-required' }
export const cancelled: SeenBody = { type: 'cancelled' }
export const completed = (text: string): SeenBody => ({ type: 'completed', text })
export const failed = (code: string): SeenBody => ({ type: 'failed', code })
export const delta = (offset: number, text: string): SeenBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})
export const thought = (offset: number, text: string): SeenBody => ({
  type: 'delta',
  kind: 'REASONING',
  offset,
  text,
})

export const at = (seq: number, body: SeenBody, replyId = 'r1', epoch = 1): SeenEvent => ({
  cursor: `tag.${epoch}.${seq}`,
  replyId,
  body,
})
export const send = (replyId = 'r1', as = 'alice', idempotencyKey?: string): Step => ({
  type: 'send',
  as,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  accepted: { replyId, messageId: `m-${replyId}`, conversationId: 'c1' },
})
export const open = (
  connection: string,
  about: {
    readonly reader?: string
    readonly as?: string
    readonly replyId?: string
    readonly conversationId?: string
    readonly after?: string
  } = { replyId: 'r1' },
): Step => ({ type: 'open', reader: connection, as: 'alice', connection, ...about })
export const seen = (connection: string, ...events: readonly SeenEvent[]): readonly Step[] =>
  events.map((event) => ({ type: 'seen', connection, event }))
export const end = (connection: string, how: 'complete' | 'cut' | 'closed' = 'complete'): Step => ({
  type: 'end',
  connection,
  how,
})
export const truth = (...events: readonly SeenEvent[]): Step => ({
  type: 'truth',
  as: 'alice',
  replyId: events[0]?.replyId ?? 'r1',
  events,
})

/** A reply "Hello world" with a thought, as the log tells it. */
export const whole = [
  at(1, started),
  at(2, thought(0, 'hm')),
  at(3, delta(0, 'Hello')),
  at(4, delta(5, ' wor')),
  at(5, delta(9, 'ld')),
  at(6, completed('Hello world')),
]
export const pick = (...seqs: readonly number[]) =>
  whole.filter((_, index) => seqs.includes(index + 1))

export function truthOf(events: readonly SeenEvent[]): Extract<Step, { type: 'truth' }> {
  return { type: 'truth', as: 'alice', replyId: 'r1', events }
}
