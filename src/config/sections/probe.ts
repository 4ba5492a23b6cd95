import { z } from 'zod'

/** How often, and how thoroughly, the gateway probes its own assistants. */
export interface ProbeSettings {
  /** Each assistant is looked at when the gateway starts: an access token, an empty conversation, no text. Default true. */
  readonly checkAtStart: boolean
  /** Hours between two scheduled probes; 0: only when an operator asks. Default 0. */
  readonly intervalHours: number
  /** A scheduled probe begins up to so many minutes later. Default 10. */
  readonly jitterMinutes: number
  /** Pairs of sessions that are tried. Default 2. */
  readonly trials: number
  /** Upstream calls of one probe at most. Default 60. */
  readonly budget: number
  /** How long a proof holds, in hours; then its verdict is STALE. Default 168, a week. */
  readonly proofMaxAgeHours: number
  /** `/health/ready` answers 503 until every assistant is ISOLATED as it is served. Default false. */
  readonly requiredForReady: boolean
}

export const probeSchema = z.strictObject({
  checkAtStart: z.boolean().default(true),
  intervalHours: z.number().min(0).max(8_760).default(0),
  jitterMinutes: z.number().min(0).max(1_440).default(10),
  trials: z.number().int().min(1).max(100).default(2),
  budget: z.number().int().min(1).max(10_000).default(60),
  proofMaxAgeHours: z.number().min(1).max(8_760).default(168),
  requiredForReady: z.boolean().default(false),
})
