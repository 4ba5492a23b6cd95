import type { Cursor } from '../domain.ts'

/** The text of GraphQL over SSE, distinct-connections mode; ours are `id:`, and `retry:` on a drain (design.md §5). */

export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'private, no-store, no-transform',
  'x-accel-buffering': 'no',
} as const

/** Sent at once, since some clients do not believe in a head without a body, and then to keep the connection open. */
export const commentFrame = ':\n\n'

/** The operation has ended. `data:` must be there, or browsers drop the event. */
export const completeFrame = 'event: complete\ndata:\n\n'

/**
 * `payload` is JSON, so it has no line break. The data stands before the id: a client that reads line by line, and is cut
 * between the two, gets the event again instead of never.
 */
export function nextFrame(payload: string, cursor: Cursor): string {
  return `event: next\ndata: ${payload}\nid: ${cursor}\n\n`
}

/** A result that is no place to resume from. */
export function placelessFrame(payload: string): string {
  return `event: next\ndata: ${payload}\n\n`
}

/** The text before and after the payload of an answer that is one result. */
export function resultFrames(): readonly [before: string, after: string] {
  return [`${commentFrame}event: next\ndata: `, `\n\n${completeFrame}`]
}

/** How long to wait before connecting again. */
export function retryFrame(ms: number): string {
  return `retry: ${ms}\n\n`
}
