import { z } from 'zod'

const target = z.object({
  server: z.enum(['passthrough', 'gateway']),
  port: z.number(),
})
const replyPlan = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('paced'), deltas: z.number(), thinkMs: z.number() }),
  z.object({ kind: z.literal('burst'), deltas: z.number(), perWrite: z.number() }),
])

/** What the load client is asked, and answers. Sessions are numbers: one caller each. */
export const streamsInput = z.object({
  target,
  sessions: z.number(),
  plan: replyPlan,
  /** The streams start evenly over this time. */
  rampMs: z.number(),
})
export const sequenceInput = z.object({
  target,
  sessions: z.number(),
  count: z.number(),
  plan: replyPlan,
})
export const warmInput = z.object({
  target,
  sessions: z.number(),
  concurrency: z.number(),
  plan: replyPlan,
})
export const idleInput = z.object({ target, from: z.number(), count: z.number() })

export const progressAnswer = z.object({ deltas: z.number(), atMs: z.number() })
export const finishedAnswer = z.object({
  deltas: z.number(),
  events: z.number(),
  firstDeltaMs: z.array(z.number()),
})

export type Target = z.infer<typeof target>
