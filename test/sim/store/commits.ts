import type { Clock } from '../../../src/lib/clock.ts'
import { StoreError } from '../../../src/store/store.ts'
import type { DiskFlaw } from './flaw.ts'
import { createState, type State } from './state.ts'

/** A read or a change of the state: it runs once, at its commit. */
export type Operation<T> = (state: State) => T

/** What a write is for: a crash can be aimed between each two of them. */
export const writeNames = [
  'session',
  'accept',
  'claim',
  'intend',
  'bind',
  'text',
  'action',
  'outputs',
  'finish',
  'end',
  'requeue',
  'orphans',
  'conversation',
  'clear',
  'delete',
  'erase',
  'attachment',
  'rating',
  'trim',
  'outbox',
  'isolation',
  'ping',
] as const
export type WriteName = (typeof writeNames)[number]

/** How the disk behaves at the moment. */
export interface DiskWeather {
  /** How long a commit takes, in ms. */
  commitMs(): number
  /** Undefined: a commit of these writes succeeds. */
  outage(writes: readonly WriteName[]): 'full' | 'unavailable' | undefined
  /** These writes are about to reach the disk. */
  onCommitting(writes: readonly WriteName[]): void
  /** They have, and nobody was told yet. */
  onDurable(writes: readonly WriteName[]): void
  /** A crash took away this many writes that were under way. */
  onLost(count: number): void
}

export const fairWeather: DiskWeather = {
  commitMs: () => 0,
  outage: () => undefined,
  onCommitting() {},
  onDurable() {},
  onLost() {},
}

interface Work {
  /** Undefined: a read. */
  readonly name: WriteName | undefined
  run(state: State): void
  /** Tells whoever asked what came of it. */
  settle(): void
  reject(error: StoreError): void
}

/**
 * The state of a disk. Nothing changes before its commit, so that a failed commit, or a crash, leaves nothing to undo.
 *
 * ```
 *   write ──► waits ──► commit (takes time) ──► state changes ──► readers wake ──► told
 *                          │ outage: all that waits is refused
 *                          ▼ crash: all that waits is gone, and nobody is told
 * ```
 */
export interface Commits {
  readonly state: State
  /** Resolves when the write is durable. Rejects with {@link StoreError}; nothing of it remains then. */
  write<T>(name: WriteName, apply: Operation<T>): Promise<T>
  /** Reads after all that was written before. */
  read<T>(apply: Operation<T>): Promise<T>
  /** The last commit failed. */
  readonly isFailing: boolean
  crash(): void
}

export function createCommits(
  clock: Clock,
  weather: DiskWeather,
  /** Called when a commit has changed the state, or has failed. */
  onCommitted: () => void,
  flaw?: DiskFlaw,
): Commits {
  const isEarly = flaw === 'tells-early' || flaw === 'shows-early'
  let state = createState(flaw)
  /** What a crash leaves, where a flaw changes the state too early. */
  let durable = structuredClone(state)
  let waiting: Work[] = []
  let committing: Work[] = []
  let isScheduled = false
  let isFailing = false
  /** Commits of an earlier life end nowhere. */
  let life = 0

  function schedule(): void {
    if (isScheduled || committing.length > 0) return
    isScheduled = true
    const mine = life
    // What is asked in one turn shares a commit.
    queueMicrotask(() => mine === life && begin())
  }

  function begin(): void {
    isScheduled = false
    committing = waiting
    waiting = []
    const ms = weather.commitMs()
    const mine = life
    if (ms === 0) return commit()
    clock.timer(ms, () => mine === life && commit())
  }

  function commit(): void {
    const writes = committing.flatMap(({ name }) => name ?? [])
    const kind = weather.outage(writes)
    if (kind !== undefined) return fail(kind)
    const mine = life
    weather.onCommitting(writes)
    if (mine !== life) return
    for (const work of committing) if (!isEarly || work.name === undefined) work.run(state)
    if (isEarly) durable = structuredClone(state)
    isFailing = false
    weather.onDurable(writes)
    if (mine !== life) return
    const done = committing
    committing = []
    onCommitted()
    for (const work of done) work.settle()
    if (waiting.length > 0) schedule()
  }

  function fail(kind: 'full' | 'unavailable'): void {
    const failed = [...committing, ...waiting]
    committing = []
    waiting = []
    isFailing = true
    if (isEarly) state = structuredClone(durable)
    onCommitted()
    for (const work of failed) {
      if (work.name !== undefined) work.reject(new StoreError(kind, 'the disk refused a write'))
      else {
        work.run(state)
        work.settle()
      }
    }
  }

  function ask<T>(name: WriteName | undefined, apply: Operation<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let tell = (): void => undefined
    const work: Work = {
      name,
      run(current) {
        try {
          const value = apply(current)
          tell = () => resolve(value)
        } catch (error) {
          tell = () => reject(error)
        }
      },
      settle: () => tell(),
      reject,
    }
    waiting.push(work)
    schedule()
    if (isEarly && name !== undefined) {
      work.run(state)
      onCommitted()
      if (flaw === 'tells-early') work.settle()
    }
    return promise
  }

  return {
    get state() {
      return state
    },
    write: ask,
    read: async (apply) =>
      waiting.length + committing.length > 0 ? ask(undefined, apply) : apply(state),
    get isFailing() {
      return isFailing
    },
    crash() {
      life += 1
      weather.onLost([...committing, ...waiting].filter(({ name }) => name !== undefined).length)
      committing = []
      waiting = []
      isScheduled = false
      isFailing = false
      if (isEarly) state = structuredClone(durable)
    },
  }
}
