import { deltasPerSecond } from './plan.ts'
import type { Figures } from './scenarios.ts'
import type { ScenarioName } from './schedule.ts'
import { median, percentile } from './statistics.ts'

export type Side = 'passthrough' | 'gateway'

export interface Recording {
  /** One entry for each round. */
  readonly figures: Readonly<Record<ScenarioName | 'warm-up', Record<Side, Figures[]>>>
  /** All samples of all rounds, in ms; `direct` is the load client at the upstream itself. */
  readonly firstDelta: Readonly<Record<Side | 'direct', number[]>>
}

export interface Row {
  readonly measure: string
  readonly unit: string
  readonly passthrough: number
  readonly gateway: number
  /** Of the medians. */
  readonly ratio: number
  /** Of each round's own pair: the least and the greatest. */
  readonly spread?: readonly [number, number] | undefined
  readonly goal?: string | undefined
  readonly met?: boolean | undefined
}

export function createRecording(): Recording {
  const sides = (): Record<Side, Figures[]> => ({ passthrough: [], gateway: [] })
  return {
    figures: {
      'first-delta': sides(),
      'streams-1': sides(),
      'streams-100': sides(),
      'streams-1000': sides(),
      saturated: sides(),
      flood: sides(),
      idle: sides(),
      'warm-up': sides(),
    },
    firstDelta: { passthrough: [], gateway: [], direct: [] },
  }
}

/** The measures that performance.md sets goals for come first; the others explain them. */
export function toRows(recording: Recording): readonly Row[] {
  const micros = 'µs/delta'
  const rows = [
    ...compare(recording, 'saturated', 'microsPerDelta', 'CPU saturated', micros, 2.5),
    ...compare(recording, 'streams-100', 'microsPerDelta', 'CPU 100 streams', micros, 1.2),
    ...allIn(recording),
    ...firstDeltaRows(recording),
    ...idleRow(recording),
    ...compare(recording, 'flood', 'microsPerDelta', 'CPU flooded', micros),
    ...compare(recording, 'streams-1', 'microsPerDelta', 'CPU 1 stream', micros),
    ...compare(
      recording,
      'streams-100',
      'systemMicrosPerDelta',
      'of it in the kernel, 100 streams',
      micros,
    ),
    ...compare(recording, 'streams-100', 'allInMicrosPerDelta', 'CPU 100 streams, all in', micros),
    ...compare(recording, 'streams-1000', 'microsPerDelta', 'CPU 1,000 streams, steady', micros),
    ...compare(recording, 'streams-1000', 'core', 'share of a core, 1,000 streams', 'cores'),
    ...compare(recording, 'streams-1000', 'paceKept', 'pace kept, 1,000 streams', ''),
    ...compare(recording, 'streams-1000', 'firstDeltaP50', 'first delta p50, 1,000 streams', 'ms'),
    ...compare(recording, 'streams-1000', 'firstDeltaP99', 'first delta p99, 1,000 streams', 'ms'),
    ...compare(recording, 'saturated', 'deltasPerSecond', 'throughput saturated', 'deltas/s'),
    ...compare(recording, 'saturated', 'deltasPerEvent', 'deltas per event, saturated', ''),
    ...compare(
      recording,
      'streams-1000',
      'othersCore',
      'load and upstream, 1,000 streams',
      'cores',
    ),
    ...compare(recording, 'streams-1000', 'foreignCores', 'other work on the machine', 'cores'),
    ...compare(recording, 'streams-1000', 'upstreamLateMs', 'upstream behind, at most', 'ms'),
    ...compare(recording, 'warm-up', 'microsPerReply', 'CPU of a caller never seen', 'µs'),
  ]
  return rows
}

function compare(
  { figures }: Recording,
  scenario: keyof Recording['figures'],
  figure: string,
  measure: string,
  unit: string,
  goal?: number,
): readonly Row[] {
  const of = (side: Side) => figures[scenario][side].map((round) => round[figure] ?? Number.NaN)
  const [theirs, ours] = [of('passthrough'), of('gateway')]
  if (theirs.length === 0) return []
  const ratio = median(ours) / median(theirs)
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN))
  return [
    {
      measure,
      unit,
      passthrough: median(theirs),
      gateway: median(ours),
      ratio,
      spread: [Math.min(...ratios), Math.max(...ratios)],
      ...(goal === undefined ? {} : { goal: `≤ ${goal}×`, met: ratio <= goal }),
    },
  ]
}

function allIn(recording: Recording): readonly Row[] {
  const [row] = compare(
    recording,
    'streams-1000',
    'allInMicrosPerDelta',
    'CPU 1,000 streams, all in',
    'µs/delta',
  )
  if (row === undefined) return []
  const at100 = recording.figures['streams-100'].gateway.map(
    (round) => round['microsPerDelta'] ?? Number.NaN,
  )
  const lower = at100.length === 0 || row.gateway <= median(at100)
  return [{ ...row, goal: '≤ 1.2×, ≤ at 100', met: row.ratio <= 1.2 && lower }]
}

/** Added time is what the client waits longer than it would at the upstream itself. */
function firstDeltaRows({ firstDelta }: Recording): readonly Row[] {
  if (firstDelta.gateway.length === 0) return []
  const row = (percent: number): Row => {
    const direct = median(firstDelta.direct)
    const passthrough = percentile(firstDelta.passthrough, percent) - direct
    const gateway = percentile(firstDelta.gateway, percent) - direct
    return {
      measure: `added time to first delta p${percent}`,
      unit: 'ms',
      passthrough,
      gateway,
      ratio: gateway / passthrough,
    }
  }
  const total = (measure: string, percent: number): Row => {
    const passthrough = percentile(firstDelta.passthrough, percent)
    const gateway = percentile(firstDelta.gateway, percent)
    return { measure, unit: 'ms', passthrough, gateway, ratio: gateway / passthrough }
  }
  const [p50, p99] = [row(50), row(99)]
  return [
    { ...p50, goal: '≤ 1.2 ms', met: p50.gateway <= 1.2 },
    { ...p99, goal: '≤ 1.5×', met: p99.ratio <= 1.5 },
    total('time to first delta p50', 50),
    total('time to first delta p99', 99),
  ]
}

function idleRow(recording: Recording): readonly Row[] {
  const rows = [
    ...compare(recording, 'idle', 'rssKib', 'memory of an idle stream', 'KiB RSS'),
    ...compare(recording, 'idle', 'heapKib', 'of it JavaScript heap', 'KiB'),
  ]
  return rows.map((row, index) =>
    index === 0 ? { ...row, goal: '≤ 24 KiB', met: row.gateway <= 24 } : row,
  )
}

/** What makes the figures of this run rough. */
export function toWarnings({ figures }: Recording): readonly string[] {
  const rounds = (['streams-1', 'streams-100', 'streams-1000'] as const).flatMap((scenario) => [
    ...figures[scenario].passthrough,
    ...figures[scenario].gateway,
  ])
  const worst = (figure: string) => Math.max(0, ...rounds.map((round) => round[figure] ?? 0))
  const warnings: string[] = []
  if (worst('foreignCores') > 0.2)
    warnings.push(`other work on this machine took up to ${digits(worst('foreignCores'))} cores`)
  if (worst('othersCore') > 0.9)
    warnings.push('load client and upstream were at the limit of their core')
  const pace = Math.min(1, ...rounds.map((round) => round['paceKept'] ?? 1))
  // What is left after some streams have ended is no steady state.
  if (pace < 0.9) warnings.push(`in a window only ${digits(pace)} of the pace was kept`)
  // Two deltas of one stream then leave together, and cost less than two.
  if (worst('upstreamLateMs') > 1000 / deltasPerSecond)
    warnings.push(`the upstream fell behind by up to ${digits(worst('upstreamLateMs'))} ms`)
  return warnings
}

export function formatTable(rows: readonly Row[]): string {
  const head = ['measure', 'unit', 'passthrough', 'gateway', 'ratio', 'rounds', 'goal', '']
  const lines = rows.map((row) => [
    row.measure,
    row.unit,
    digits(row.passthrough),
    digits(row.gateway),
    `${digits(row.ratio)}×`,
    row.spread === undefined ? '' : `${digits(row.spread[0])}–${digits(row.spread[1])}`,
    row.goal ?? '',
    row.met === undefined ? '' : row.met ? 'met' : 'missed',
  ])
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function digits(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
