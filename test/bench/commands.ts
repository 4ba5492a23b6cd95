import { z } from 'zod'

export const serverKinds = ['passthrough', 'express', 'yoga', 'gateway'] as const
/** Which server a client speaks to, and so which protocol it speaks. */
export type ServerKind = (typeof serverKinds)[number]

const target = z.object({
  server: z.enum(serverKinds),
  port: z.number(),
  /** Where replies are read, if that is another server on the same store. */
  readPort: z.number().optional(),
})
export type Target = z.infer<typeof target>

export const planSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('paced'), deltas: z.number(), everyMs: z.number() }),
  z.object({ kind: z.literal('whole'), deltas: z.number() }),
  z.object({ kind: z.literal('saturated'), deltas: z.number(), perWrite: z.number() }),
  z.object({ kind: z.literal('idle') }),
  z.object({
    kind: z.literal('large'),
    deltas: z.number(),
    length: z.number(),
    alphabet: z.enum(['latin', 'chinese']),
  }),
])

/** What the load client is asked, and what it returns. Sessions are numbers: each is one caller. */
export const streamsInput = z.object({
  target,
  /** The first session; the others follow it. */
  from: z.number(),
  streams: z.number(),
  plan: planSchema,
  /** The streams start evenly over this time. */
  withinMs: z.number(),
})
export const loopInput = z.object({
  target,
  users: z.number(),
  /** Users read all their replies on one stream that is open, where the server has such a stream. */
  isOpen: z.boolean(),
  plan: planSchema,
  /** No reply begins after this time. */
  forMs: z.number(),
})
export const warmInput = z.object({ target, sessions: z.number() })
export const idleInput = z.object({ target, from: z.number(), count: z.number() })

export const repliesAnswer = z.object({
  replies: z.number(),
  deltas: z.number(),
  /** Frames that carried text. */
  events: z.number(),
  /** From the first byte of a message's request to its first delta, of each reply. */
  firstDeltaMs: z.array(z.number()),
  /** From the first request to the end of the last reply. */
  tookMs: z.number(),
})
export type RepliesAnswer = z.infer<typeof repliesAnswer>
