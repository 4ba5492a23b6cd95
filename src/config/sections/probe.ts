import { z } from 'zod'

export const probeSchema = z
  .strictObject({
    checkAtStart: z.boolean().default(true).meta({
      description:
        'Whether each assistant is checked when the gateway starts: with an access token and an empty conversation, without text.',
    }),
    intervalHours: z.number().min(0).max(8_760).default(0).meta({
      description: 'Time between two scheduled probes; 0 probes only when an operator asks.',
      unit: 'hours',
    }),
    jitterMinutes: z.number().min(0).max(1_440).default(10).meta({
      description: 'A scheduled probe begins up to so much later.',
      unit: 'minutes',
    }),
    trials: z.number().int().min(1).max(100).default(2).meta({
      description: 'Pairs of sessions that a probe tries, unless it is asked for another number.',
      unit: 'pairs',
    }),
    // One pair of sessions takes 24.
    budget: z.number().int().min(24).max(10_000).default(60).meta({
      description:
        'Upstream calls of a probe for each strategy, unless it is asked for another number; one pair takes 24.',
      unit: 'calls',
    }),
    proofMaxAgeHours: z.number().min(1).max(8_760).default(168).meta({
      description: 'How long a proof is valid; after that the verdict is STALE.',
      unit: 'hours',
    }),
    requiredForReady: z.boolean().default(false).meta({
      description:
        'Whether `/health/ready` returns 503 until every assistant is ISOLATED as it is served.',
    }),
  })
  .meta({ description: 'How often, and how thoroughly, the gateway probes its own assistants.' })

export type ProbeSettings = Readonly<z.output<typeof probeSchema>>
