import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { finishedAnswer, progressAnswer } from './commands.ts'
import { deltasPerSecond } from './plan.ts'
import type { Part } from './processes.ts'
import { burstSizes, burstStreams } from './schedule.ts'
import type { Subject } from './servers.ts'
import { percentile, sum } from './statistics.ts'

const usageAnswer = z.object({ cpuMicros: z.number(), systemMicros: z.number() })
const memoryAnswer = z.object({ rss: z.number(), heapUsed: z.number(), external: z.number() })
const nothing = z.unknown()

/** Figures of one measurement by name; the report says which of them have a goal. */
export type Figures = Readonly<Record<string, number>>

export interface Bench {
  readonly load: Part
  readonly upstream: Part
  /** Where CPU profiles of the measured windows are written; undefined: none are taken. */
  readonly profiles: string | undefined
}

/** N streams at the pace: CPU in the steady state, and all in (from the first request to the last end). */
export async function measureStreams(
  bench: Bench,
  subject: Subject,
  options: { readonly streams: number; readonly rampMs: number; readonly windowMs: number },
): Promise<Figures> {
  const { load, upstream } = bench
  const { streams, rampMs, windowMs } = options
  // Long enough that no stream ends within the window, even when the last one starts late.
  const slackMs = 1000 + rampMs / 2
  const deltas = Math.ceil(((rampMs + windowMs + slackMs) / 1000) * deltasPerSecond)
  await upstream.ask('lateness', undefined, nothing)
  const cpuAtStart = await cpu(subject)
  await load.ask(
    'streams',
    {
      target: subject.target,
      sessions: streams,
      plan: { kind: 'paced', deltas, thinkMs: 0 },
      rampMs,
    },
    nothing,
  )
  await load.ask('flowing', undefined, nothing)
  await using _profile = await profile(bench, subject, `streams-${streams}`)
  const sample = () => Promise.all([usage(subject), progress(load), cpu(load), cpu(upstream)])
  const busyBefore = machineMicros()
  const [before, from, ...othersBefore] = await sample()
  await delay(windowMs)
  const [after, to, ...othersAfter] = await sample()
  const busyMicros = machineMicros() - busyBefore
  const finished = await load.ask('finished', undefined, finishedAnswer)
  const cpuAtEnd = await cpu(subject)
  const seconds = (to.atMs - from.atMs) / 1000
  const cpuMicros = after.cpuMicros - before.cpuMicros
  const othersMicros = sum(othersAfter) - sum(othersBefore)
  return {
    microsPerDelta: cpuMicros / (to.deltas - from.deltas),
    systemMicrosPerDelta: (after.systemMicros - before.systemMicros) / (to.deltas - from.deltas),
    allInMicrosPerDelta: (cpuAtEnd - cpuAtStart) / finished.deltas,
    paceKept: (to.deltas - from.deltas) / seconds / (streams * deltasPerSecond),
    core: cpuMicros / seconds / 1e6,
    // Near 1 the harness, not the server, sets the pace.
    othersCore: othersMicros / seconds / 1e6,
    foreignCores: Math.max(0, busyMicros - cpuMicros - othersMicros) / seconds / 1e6,
    deltasPerEvent: finished.deltas / finished.events,
    firstDeltaP50: percentile(finished.firstDeltaMs, 50),
    firstDeltaP99: percentile(finished.firstDeltaMs, 99),
    upstreamLateMs: await upstream.ask('lateness', undefined, z.number()),
  }
}

/** A few streams as fast as everything goes, in bursts. */
export async function measureSaturated(
  bench: Bench,
  subject: Subject,
  options: { readonly name: keyof typeof burstSizes; readonly deltas: number },
): Promise<Figures> {
  const { name, deltas } = options
  const { load } = bench
  await using _profile = await profile(bench, subject, name)
  const startedAt = performance.now()
  const before = await cpu(subject)
  const plan = { kind: 'burst', deltas, perWrite: burstSizes[name] }
  await load.ask(
    'streams',
    { target: subject.target, sessions: burstStreams, plan, rampMs: 0 },
    nothing,
  )
  const finished = await load.ask('finished', undefined, finishedAnswer)
  const after = await cpu(subject)
  const seconds = (performance.now() - startedAt) / 1000
  return {
    microsPerDelta: (after - before) / finished.deltas,
    core: (after - before) / seconds / 1e6,
    deltasPerSecond: finished.deltas / seconds,
    deltasPerEvent: finished.deltas / finished.events,
  }
}

/** One reply after the other: from the first byte of the message's request to the first delta, each in ms. */
export async function measureFirstDelta(
  bench: Bench,
  subject: Subject,
  options: { readonly count: number; readonly sessions: number; readonly thinkMs: number },
): Promise<readonly number[]> {
  await using _profile = await profile(bench, subject, `first-delta-${options.thinkMs}`)
  const { count, sessions, thinkMs } = options
  const plan = { kind: 'paced', deltas: 1, thinkMs }
  return bench.load.ask(
    'sequence',
    { target: subject.target, sessions, count, plan },
    z.array(z.number()),
  )
}

/** The first message of callers that were never seen: what a session costs. */
export async function measureWarmUp(
  bench: Bench,
  subject: Subject,
  sessions: number,
): Promise<Figures> {
  await using _profile = await profile(bench, subject, 'warm-up')
  const plan = { kind: 'burst', deltas: 2, perWrite: 1 }
  const before = await cpu(subject)
  await bench.load.ask('warm', { target: subject.target, sessions, concurrency: 16, plan }, nothing)
  return { microsPerReply: ((await cpu(subject)) - before) / sessions }
}

/** Resident memory of streams on which nothing happens; the subject must be fresh. */
export async function measureIdle(
  bench: Bench,
  subject: Subject,
  options: { readonly streams: number; readonly warmUp: number },
): Promise<Figures> {
  const { target } = subject
  const { streams, warmUp } = options
  // The first ones pay for code and pools; they are no part of what one more costs.
  await bench.load.ask('openIdle', { target, from: 0, count: warmUp }, nothing)
  const before = await memory(subject)
  await bench.load.ask('openIdle', { target, from: warmUp, count: streams }, nothing)
  const after = await memory(subject)
  await bench.load.ask('closeIdle', undefined, nothing)
  const kibibytes = (key: keyof typeof after) => (after[key] - before[key]) / streams / 1024
  return { rssKib: kibibytes('rss'), heapKib: kibibytes('heapUsed') }
}

async function cpu(part: Part): Promise<number> {
  return (await usage(part)).cpuMicros
}

function usage(part: Part) {
  return part.ask('usage', undefined, usageAnswer)
}

/** Time that all cores were busy with anything, since the machine started. */
function machineMicros(): number {
  return sum(cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq)) * 1000
}

function progress(load: Part) {
  return load.ask('progress', undefined, progressAnswer)
}

async function memory(subject: Subject) {
  // What the last requests left behind has ended by then.
  await delay(500)
  return subject.ask('memory', undefined, memoryAnswer)
}

/** Profiles the subject until disposed, where profiles are wanted. */
async function profile(bench: Bench, subject: Subject, name: string): Promise<AsyncDisposable> {
  const { profiles } = bench
  if (profiles === undefined) return { async [Symbol.asyncDispose]() {} }
  await subject.ask('profileStart', undefined, nothing)
  const file = `${profiles}/${subject.target.server}-${name}.cpuprofile`
  return {
    async [Symbol.asyncDispose]() {
      await subject.ask('profileStop', file, nothing)
    },
  }
}
