/** How much is measured: the whole run takes about twelve minutes, a quick one less than five. */
export interface Schedule {
  readonly rounds: number
  /** How long users go on sending, in ms. */
  readonly loopMs: number
  /** Seconds that each of many streams speaks. */
  readonly streamSeconds: number
  /** Deltas of the one long reply. */
  readonly longDeltas: number
}

export const fullSchedule: Schedule = {
  rounds: 5,
  loopMs: 4000,
  streamSeconds: 5,
  longDeltas: 50_000,
}

export const quickSchedule: Schedule = { ...fullSchedule, rounds: 1, loopMs: 3000 }

/** Sessions that have talked before the measurements begin. */
export const warmSessions = 1000
/** What a stream of a model that writes fast sends each second. */
export const deltasPerSecond = 30
/** Many streams start within this time, in ms. */
export const rushMs = 700
/** Open streams on which nothing happens. */
export const idleStreams = 2000
export const manyIdleStreams = 10_000

export const workloadNames = [
  'burst',
  'long',
  'streams-100',
  'streams-1000',
  'streams-1000-cold',
  'first-delta-8',
  'first-delta-8-open',
  'first-delta-1',
  'messages',
  'idle',
  'store',
] as const
export type WorkloadName = (typeof workloadNames)[number]
