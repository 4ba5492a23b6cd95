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

/** A numbered event. */
export const at = (seq: number, body: SeenBody, replyId = 'r1', check = `e${seq}`): SeenEvent => ({
  cursor: `tag.${seq}.${check}`,
  replyId,
  body,
})

/** A delta behind an event, and how far it leads: the revision, and the offsets in answer and reasoning. */
export const cut = (
  seq: number,
  body: SeenBody,
  place: readonly [revision: string, answer: number, reasoning?: number],
  replyId = 'r1',
): SeenEvent => {
  const [revision, answer, reasoning = 0] = place
  return {
    cursor: `tag.${seq}.e${seq}~${replyId}.${revision}.${answer}.${reasoning}`,
    replyId,
    body,
  }
}
export const send = (
  replyId = 'r1',
  as = 'alice',
  idempotencyKey?: string,
  conversationId = `c-${replyId}`,
): Step => ({
  type: 'send',
  as,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  accepted: { replyId, messageId: `m-${replyId}`, conversationId },
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
  cut(1, thought(0, 'hm'), ['x0', 0, 2]),
  cut(1, delta(0, 'Hello'), ['x0', 5, 2]),
  cut(1, delta(5, ' wor'), ['x0', 9, 2]),
  cut(1, delta(9, 'ld'), ['x0', 11, 2]),
  at(2, completed('Hello world')),
]
export const pick = (...steps: readonly number[]) =>
  whole.filter((_, index) => steps.includes(index + 1))
export const cursorOf = (step: number) => whole[step - 1]?.cursor ?? ''

export function truthOf(events: readonly SeenEvent[]): Extract<Step, { type: 'truth' }> {
  return { type: 'truth', as: 'alice', replyId: 'r1', events }
}
