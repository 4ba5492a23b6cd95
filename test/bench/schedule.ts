/** How much is measured: the whole run takes about three minutes, a quick one less than one. */
export interface Schedule {
  readonly rounds: number
  /** Callers, each with a session of its own. */
  readonly sessions: number
  readonly windowMs: number
  /** Of each of `burstStreams` streams. */
  readonly burstDeltas: number
  readonly firstDeltas: number
  readonly idle: { readonly streams: number; readonly warmUp: number }
}

export const burstStreams = 8

/**
 * Deltas in each write. Saturated is a model that writes as fast as it is read, a few words at a
 * time; flood is 64 KiB at a time, which no model does: it shows what remains when reads cost nothing.
 */
export const burstSizes = { saturated: 4, flood: 250 } as const

export const fullSchedule: Schedule = {
  rounds: 3,
  sessions: 1000,
  windowMs: 3000,
  burstDeltas: 50_000,
  firstDeltas: 100,
  idle: { streams: 2000, warmUp: 300 },
}

export const quickSchedule: Schedule = {
  rounds: 1,
  sessions: 1000,
  windowMs: 2000,
  burstDeltas: 20_000,
  firstDeltas: 60,
  idle: { streams: 1000, warmUp: 300 },
}

/** Streams that start at once would measure the rush, not the streaming. */
export function rampMs(streams: number): number {
  return streams * 2
}

export const scenarioNames = [
  'first-delta',
  'streams-1',
  'streams-100',
  'streams-1000',
  'saturated',
  'flood',
  'idle',
] as const
export type ScenarioName = (typeof scenarioNames)[number]
