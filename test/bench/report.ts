import { type ServerKind, serverKinds } from './commands.ts'
import type { WorkloadName } from './schedule.ts'
import { median } from './statistics.ts'
import type { Figures } from './workloads.ts'

/** Who is measured: the servers, and `direct`, which is the load client at the upstream itself. */
export type Side = ServerKind | 'direct'

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
  readonly values: Readonly<Partial<Record<ServerKind, number>>>
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
  /** At most (or at least) so much; `times`: as a multiple of the passthrough's. */
  readonly goal?:
    | { readonly most: number }
    | { readonly least: number }
    | { readonly times: number }
}

/** The measures in the order of the goals. */
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
]

export function toRows(recording: Recording): readonly Row[] {
  return measures.flatMap((measure) => {
    const sides = recording.get(measure.workload)
    if (sides === undefined) return []
    const value = (side: Side): number | undefined => {
      const rounds = sides.get(side)?.map((figures) => figureOf(figures, measure.figure))
      return rounds && median(rounds)
    }
    const direct = measure.added ? (value('direct') ?? Number.NaN) : 0
    const values = Object.fromEntries(
      serverKinds.flatMap((server) => {
        const found = value(server)
        return found === undefined ? [] : [[server, found - direct]]
      }),
    )
    return [{ measure: measure.title, unit: measure.unit, values, ...judge(measure, values) }]
  })
}

function figureOf(figures: Figures, name: string): number {
  if (name === 'millisPerReply') return (figures['microsPerReply'] ?? Number.NaN) / 1000
  return figures[name] ?? Number.NaN
}

function judge(
  { goal }: Measure,
  { gateway = Number.NaN, passthrough = Number.NaN }: Row['values'],
): Pick<Row, 'goal' | 'met'> {
  if (goal === undefined) return { goal: '', met: undefined }
  if ('most' in goal) return { goal: `≤ ${goal.most}`, met: gateway <= goal.most }
  if ('least' in goal) return { goal: `≥ ${goal.least}`, met: gateway >= goal.least }
  return { goal: `≤ ${goal.times}×`, met: gateway <= goal.times * passthrough }
}

/** A table of columns that line up. */
export function formatTable(rows: readonly Row[]): string {
  const head = ['measure', 'unit', 'gateway', '×', 'goal', '', 'passthrough', 'express', 'yoga']
  const lines = rows.map(({ measure, unit, values, goal, met }) => {
    const { gateway = Number.NaN, passthrough = Number.NaN, express, yoga } = values
    return [
      measure,
      unit,
      digits(gateway),
      digits(gateway / passthrough),
      goal,
      met === undefined ? '' : met ? 'met' : 'missed',
      digits(passthrough),
      digits(express),
      digits(yoga),
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
