import { z } from 'zod'

export const probeSchema = z
  .strictObject({
    checkAtStart: z.boolean().default(true).meta({
      description:
        'Whether each assistant is checked when the gateway starts, by an access token and an empty conversation, without text.',
    }),
    intervalHours: z.number().min(0).max(8_760).default(0).meta({
      description: 'The time between two scheduled probes. With 0, only operators start probes.',
      unit: 'hours',
    }),
    jitterMinutes: z.number().min(0).max(1_440).default(10).meta({
      description: 'The longest random delay of a scheduled probe.',
      unit: 'minutes',
    }),
    trials: z.number().int().min(1).max(100).default(2).meta({
      description: 'The number of pairs of sessions that a probe tries by default.',
      unit: 'pairs',
    }),
    // One pair of sessions takes 24.
    budget: z.number().int().min(24).max(10_000).default(60).meta({
      description:
        'The most upstream calls of a probe for each strategy, by default. One pair of sessions takes 24.',
      unit: 'calls',
    }),
    proofMaxAgeHours: z.number().min(1).max(8_760).default(168).meta({
      description: 'How long a proof is valid. After that the verdict is STALE.',
      unit: 'hours',
    }),
    requiredForReady: z.boolean().default(false).meta({
      description:
        'Whether `/health/ready` returns 503 until every assistant is served by a strategy that is ISOLATED.',
    }),
  })
  .meta({ description: 'How often, and how thoroughly, the gateway probes its own assistants.' })

export type ProbeSettings = Readonly<z.output<typeof probeSchema>>
