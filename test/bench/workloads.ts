import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type RepliesAnswer, repliesAnswer } from './commands.ts'
import type { Plan } from './plan.ts'
import type { Part } from './processes.ts'
import {
  deltasPerSecond,
  idleStreams,
  manyIdleStreams,
  rushMs,
  type Schedule,
  type WorkloadName,
} from './schedule.ts'
import type { DatabaseUse, GatewaySubject, Subject } from './servers.ts'
import { percentile } from './statistics.ts'

const usageAnswer = z.object({ cpuMicros: z.number() })
const memoryAnswer = z.object({ rssBytes: z.number() })
const stallsAnswer = z.object({ longestMs: z.number() })
const writtenAnswer = z.object({ bytes: z.number() })
const nothing = z.unknown()

/** The figures of one measurement by name; the report says which of them have a goal. */
export type Figures = Readonly<Record<string, number>>

export interface Bench {
  readonly load: Part
  readonly schedule: Schedule
  /** Where CPU profiles of the measured workloads are written; undefined: none are taken. */
  readonly profiles: string | undefined
}

/** Workloads that every server takes in turn, on sessions that have talked before. */
export type RepeatedWorkload = Exclude<WorkloadName, 'idle' | 'store'>

let coldSession = 1_000_000

export async function measure(
  bench: Bench,
  subject: Subject,
  name: RepeatedWorkload,
): Promise<Figures> {
  const { loopMs, streamSeconds, longDeltas } = bench.schedule
  const paced: Plan = {
    kind: 'paced',
    deltas: deltasPerSecond * streamSeconds,
    everyMs: 1000 / deltasPerSecond,
  }
  const short: Plan = { kind: 'paced', deltas: 5, everyMs: 10 }
  const streams = (count: number, plan: Plan, withinMs: number, from = 0) =>
    run(bench, subject, name, 'streams', { from, streams: count, plan, withinMs })
  const loop = (users: number, plan: Plan, isOpen = false) =>
    run(bench, subject, name, 'loop', { users, isOpen, plan, forMs: loopMs })
  switch (name) {
    case 'burst':
      return loop(32, { kind: 'whole', deltas: 200 })
    case 'long':
      return streams(1, { kind: 'saturated', deltas: longDeltas, perWrite: 200 }, 0)
    case 'streams-100':
      return streams(100, paced, rushMs)
    case 'streams-1000':
      return streams(1000, paced, rushMs)
    case 'streams-1000-cold':
      coldSession += 1000
      return streams(1000, paced, rushMs, coldSession)
    case 'first-delta-8':
      return loop(8, short)
    case 'first-delta-8-open':
      return loop(8, short, true)
    case 'first-delta-1':
      return loop(1, short)
    case 'messages':
      return loop(64, { kind: 'whole', deltas: 1 })
  }
}

async function run(
  bench: Bench,
  subject: Subject,
  name: string,
  command: 'streams' | 'loop',
  input: object,
): Promise<Figures> {
  await using _profile = await profile(bench, subject, name)
  await subject.ask('stallsStart', undefined, nothing)
  const before = await cpu(subject)
  const asked = await subject.database?.()
  const request = { target: subject.target, ...input }
  const answer: RepliesAnswer = await bench.load.ask(command, request, repliesAnswer)
  const cpuMicros = (await cpu(subject)) - before
  const used = await subject.database?.()
  const { longestMs } = await subject.ask('stallsStop', undefined, stallsAnswer)
  const { replies, deltas, events, firstDeltaMs, tookMs } = answer
  return {
    microsPerDelta: cpuMicros / deltas,
    microsPerReply: cpuMicros / replies,
    repliesPerSecond: (replies / tookMs) * 1000,
    core: cpuMicros / 1000 / tookMs,
    deltasPerEvent: deltas / events,
    firstDeltaP50: percentile(firstDeltaMs, 50),
    firstDeltaP99: percentile(firstDeltaMs, 99),
    longestStallMs: longestMs,
    ...(asked && used && databaseFigures(asked, used, answer)),
  }
}

function databaseFigures(before: DatabaseUse, after: DatabaseUse, answer: RepliesAnswer) {
  const statements = after.statements - before.statements
  return {
    statementsPerReply: statements / answer.replies,
    statementsPerDelta: statements / answer.deltas,
    databaseMillisPerReply: (after.cpuMicros - before.cpuMicros) / 1000 / answer.replies,
  }
}

/** Resident memory of a process before anybody comes, and of open streams on which nothing happens. */
export async function measureIdle(bench: Bench, subject: Subject): Promise<Figures> {
  const { target } = subject
  const fresh = await memory(subject)
  // The first ones pay for code and pools; they are no part of what one more costs.
  const warmUp = 300
  await bench.load.ask('openIdle', { target, from: 0, count: warmUp }, nothing)
  const before = await memory(subject)
  await bench.load.ask('openIdle', { target, from: warmUp, count: idleStreams }, nothing)
  const after = await memory(subject)
  let many = Number.NaN
  // The others hold two sockets for each, which is more than a process may open.
  if (target.server === 'gateway' || target.server === 'yoga') {
    const open = warmUp + idleStreams
    await bench.load.ask('openIdle', { target, from: open, count: manyIdleStreams - open }, nothing)
    many = await memory(subject)
  }
  await bench.load.ask('closeIdle', undefined, nothing)
  return {
    freshMib: fresh / 1024 ** 2,
    kibPerStream: (after - before) / idleStreams / 1024,
    manyMib: many / 1024 ** 2,
  }
}

/** What a reply of 1.2 KB leaves on disk, and what is written for it. */
export async function measureStore(bench: Bench, subject: GatewaySubject): Promise<Figures> {
  const plan = { kind: 'whole', deltas: 100 }
  const run = (forMs: number) =>
    bench.load.ask(
      'loop',
      { target: subject.target, users: 16, isOpen: false, plan, forMs },
      repliesAnswer,
    )
  await run(0)
  const before = await stored(subject)
  const { replies } = await run(2000)
  const after = await stored(subject)
  return {
    kilobytesOnDisk: (after.held - before.held) / replies / 1000,
    kilobytesWritten: (after.written - before.written) / replies / 1000,
  }
}

async function stored(subject: GatewaySubject) {
  await settle()
  const { bytes: written } = await subject.ask('written', undefined, writtenAnswer)
  return { held: await subject.storeBytes(), written }
}

async function cpu(part: Part): Promise<number> {
  return (await part.ask('usage', undefined, usageAnswer)).cpuMicros
}

async function memory(subject: Subject): Promise<number> {
  await settle()
  return (await subject.ask('memory', undefined, memoryAnswer)).rssBytes
}

/** What the last requests left behind has ended by then. */
async function settle(): Promise<void> {
  await delay(1000)
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
