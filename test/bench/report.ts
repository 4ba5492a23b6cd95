import { serverKinds } from './commands.ts'
import { type PostgresSide, postgresSides } from './postgres-servers.ts'
import type { WorkloadName } from './schedule.ts'
import { median } from './statistics.ts'
import type { Figures } from './workloads.ts'

/** Servers that are measured; `gateway` has a SQLite file. */
export const sides = [...serverKinds, ...postgresSides] as const
/** Who is measured: the servers, and `direct`, which is the load client at the upstream itself. */
export type Side = (typeof sides)[number] | 'direct'

/** The figures of every round, by workload and side. */
export type Recording = Map<WorkloadName, Map<Side, Figures[]>>

export function record(
  recording: Recording,
  workload: WorkloadName,
  side: Side,
  figures: Figures,
): void {
  const sides = recording.get(workload) ?? new Map<Side, Figures[]>()
  recording.set(workload, sides)
  sides.set(side, [...(sides.get(side) ?? []), figures])
}

export interface Row {
  readonly measure: string
  readonly unit: string
  readonly values: Readonly<Partial<Record<Side, number>>>
  readonly goal: string
  readonly met: boolean | undefined
}

interface Measure {
  readonly title: string
  readonly unit: string
  readonly workload: WorkloadName
  readonly figure: string
  /** Less what the client waits at the upstream itself. */
  readonly added?: boolean
  /** Whose goal it is. Default: the gateway's with a SQLite file. */
  readonly side?: PostgresSide
  /** At most (or at least) so much; `times`: as a multiple of another side's, by default of the passthrough's. */
  readonly goal?:
    | { readonly most: number }
    | { readonly least: number; readonly of?: Side }
    | { readonly times: number; readonly of?: Side }
}

/** The measures in the order of the goals. A figure that a side lacks is not shown. */
const measures: readonly Measure[] = [
  {
    title: 'added first delta, 8 users, p50',
    unit: 'ms',
    workload: 'first-delta-8',
    figure: 'firstDeltaP50',
    added: true,
    goal: { most: 2 },
  },
  {
    title: 'added first delta, 8 users, p99',
    unit: 'ms',
    workload: 'first-delta-8',
    figure: 'firstDeltaP99',
    added: true,
    goal: { most: 12 },
  },
  {
    title: 'the same with an open subscription, p50',
    unit: 'ms',
    workload: 'first-delta-8-open',
    figure: 'firstDeltaP50',
    added: true,
  },
  {
    title: 'added first delta, 1 user, p50',
    unit: 'ms',
    workload: 'first-delta-1',
    figure: 'firstDeltaP50',
    added: true,
    goal: { most: 1.2 },
  },
  {
    title: 'first delta, 1,000 streams, p50',
    unit: 'ms',
    workload: 'streams-1000',
    figure: 'firstDeltaP50',
    goal: { most: 300 },
  },
  {
    title: 'first delta, 1,000 streams, p99',
    unit: 'ms',
    workload: 'streams-1000',
    figure: 'firstDeltaP99',
    goal: { most: 600 },
  },
  {
    title: 'CPU per 5-delta message',
    unit: 'ms',
    workload: 'first-delta-8',
    figure: 'millisPerReply',
    goal: { most: 1.6 },
  },
  {
    title: 'the same with an open subscription',
    unit: 'ms',
    workload: 'first-delta-8-open',
    figure: 'millisPerReply',
  },
  {
    title: 'messages, one core',
    unit: '/s',
    workload: 'messages',
    figure: 'repliesPerSecond',
    goal: { least: 1500 },
  },
  {
    title: 'burst',
    unit: 'µs/delta',
    workload: 'burst',
    figure: 'microsPerDelta',
    goal: { times: 4 },
  },
  {
    title: 'long reply',
    unit: 'µs/delta',
    workload: 'long',
    figure: 'microsPerDelta',
    goal: { times: 2 },
  },
  {
    title: '100 streams',
    unit: 'µs/delta',
    workload: 'streams-100',
    figure: 'microsPerDelta',
    goal: { times: 1.3 },
  },
  {
    title: '1,000 streams',
    unit: 'µs/delta',
    workload: 'streams-1000',
    figure: 'microsPerDelta',
    goal: { times: 1.2 },
  },
  {
    title: '1,000 streams, every user new',
    unit: 'µs/delta',
    workload: 'streams-1000-cold',
    figure: 'microsPerDelta',
  },
  {
    title: 'first delta, 1,000 streams, every user new, p50',
    unit: 'ms',
    workload: 'streams-1000-cold',
    figure: 'firstDeltaP50',
  },
  {
    title: 'idle subscription',
    unit: 'KiB',
    workload: 'idle',
    figure: 'kibPerStream',
    goal: { most: 20 },
  },
  {
    title: '10,000 idle, whole process',
    unit: 'MiB',
    workload: 'idle',
    figure: 'manyMib',
    goal: { most: 300 },
  },
  {
    title: 'process before anybody comes',
    unit: 'MiB',
    workload: 'idle',
    figure: 'freshMib',
    goal: { most: 110 },
  },
  {
    title: 'on disk per reply of 1.2 KB',
    unit: 'KB',
    workload: 'store',
    figure: 'kilobytesOnDisk',
    goal: { most: 3 },
  },
  {
    title: 'written per reply of 1.2 KB',
    unit: 'KB',
    workload: 'store',
    figure: 'kilobytesWritten',
    goal: { most: 30 },
  },
  {
    title: 'longest stall of the event loop, burst',
    unit: 'ms',
    workload: 'burst',
    figure: 'longestStallMs',
  },
  {
    title: 'on PostgreSQL: added first delta, 8 users, p50',
    unit: 'ms',
    workload: 'first-delta-8',
    figure: 'firstDeltaP50',
    added: true,
    side: 'postgres',
    goal: { most: 3 },
  },
  {
    title: 'on PostgreSQL: added first delta, 1 user, p50',
    unit: 'ms',
    workload: 'first-delta-1',
    figure: 'firstDeltaP50',
    added: true,
    side: 'postgres',
    goal: { most: 3 },
  },
  {
    title: 'across instances: added first delta, 8 users, p50',
    unit: 'ms',
    workload: 'first-delta-8',
    figure: 'firstDeltaP50',
    added: true,
    side: 'lane',
    goal: { most: 8 },
  },
  {
    title: 'across instances: added first delta, 1 user, p50',
    unit: 'ms',
    workload: 'first-delta-1',
    figure: 'firstDeltaP50',
    added: true,
    side: 'lane',
    goal: { most: 8 },
  },
  {
    title: 'statements per reply of 5 deltas',
    unit: '',
    workload: 'first-delta-8',
    figure: 'statementsPerReply',
    side: 'postgres',
    goal: { most: 6 },
  },
  {
    title: 'statements per delta, 100 streams',
    unit: '',
    workload: 'streams-100',
    figure: 'statementsPerDelta',
    side: 'postgres',
    goal: { most: 0.05 },
  },
  {
    title: 'on PostgreSQL: 100 streams',
    unit: 'µs/delta',
    workload: 'streams-100',
    figure: 'microsPerDelta',
    side: 'postgres',
    goal: { times: 1.3, of: 'gateway' },
  },
  {
    title: "PostgreSQL's CPU per message",
    unit: 'ms',
    workload: 'messages',
    figure: 'databaseMillisPerReply',
    side: 'postgres',
  },
  {
    title: 'messages, two workers',
    unit: '/s',
    workload: 'messages',
    figure: 'repliesPerSecond',
    side: 'workers',
    goal: { least: 1.6, of: 'worker' },
  },
]

export function toRows(recording: Recording): readonly Row[] {
  return measures.flatMap((measure) => {
    const recorded = recording.get(measure.workload)
    if (recorded === undefined) return []
    const value = (side: Side): number | undefined => {
      const rounds = recorded.get(side)?.map((figures) => figureOf(figures, measure.figure))
      return rounds && median(rounds)
    }
    const direct = measure.added ? (value('direct') ?? Number.NaN) : 0
    const values = Object.fromEntries(
      sides.flatMap((side) => {
        const found = value(side)
        return found === undefined || Number.isNaN(found) ? [] : [[side, found - direct]]
      }),
    )
    // What a benchmark without PostgreSQL has nothing of.
    if (measure.side !== undefined && !recorded.has(measure.side)) return []
    return [{ measure: measure.title, unit: measure.unit, values, ...judge(measure, values) }]
  })
}

function figureOf(figures: Figures, name: string): number {
  if (name === 'millisPerReply') return (figures['microsPerReply'] ?? Number.NaN) / 1000
  return figures[name] ?? Number.NaN
}

function judge({ goal, side }: Measure, values: Row['values']): Pick<Row, 'goal' | 'met'> {
  const own = values[side ?? 'gateway'] ?? Number.NaN
  if (goal === undefined) return { goal: '', met: undefined }
  if ('most' in goal) return { goal: `≤ ${goal.most}`, met: own <= goal.most }
  const { of } = goal
  const base = values[of ?? 'passthrough'] ?? Number.NaN
  const name = of === undefined ? '' : ` of ${of}`
  if ('times' in goal) return { goal: `≤ ${goal.times}×${name}`, met: own <= goal.times * base }
  if (of === undefined) return { goal: `≥ ${goal.least}`, met: own >= goal.least }
  return { goal: `≥ ${goal.least}×${name}`, met: own >= goal.least * base }
}

/** A table of columns that line up. */
export function formatTable(rows: readonly Row[]): string {
  const others = sides.filter(
    (side) => side !== 'gateway' && rows.some(({ values }) => values[side] !== undefined),
  )
  const head = ['measure', 'unit', 'gateway', '×', 'goal', '', ...others]
  const lines = rows.map(({ measure, unit, values, goal, met }) => {
    const { gateway = Number.NaN, passthrough = Number.NaN } = values
    return [
      measure,
      unit,
      digits(gateway),
      digits(gateway / passthrough),
      goal,
      met === undefined ? '' : met ? 'met' : 'missed',
      ...others.map((side) => digits(values[side])),
    ]
  })
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

function digits(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
