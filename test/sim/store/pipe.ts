import type { Clock } from '../../../src/lib/clock.ts'
import { StoreError } from '../../../src/store/store.ts'
import { createState, type DiskFlaw, type State } from './state.ts'

/** A repeatable change of the state: the same operations in the same order make the same state. */
export type Operation<T> = (state: State) => T

/** How the disk behaves at the moment. */
export interface DiskWeather {
  /** How long a commit takes, in ms. */
  commitMs(): number
  /** Undefined: commits succeed. */
  outage(): 'full' | 'unavailable' | undefined
  /** A commit is about to reach the disk. */
  onCommitting(): void
  /** It has, and nobody was told yet. */
  onDurable(): void
  /** A crash took away this many operations that were visible. */
  onLost(count: number): void
}

export const fairWeather: DiskWeather = {
  commitMs: () => 0,
  outage: () => undefined,
  onCommitting() {},
  onDurable() {},
  onLost() {},
}

interface Pending {
  readonly apply: Operation<unknown>
  /** Undefined for a soft one: nobody waits for it, and only a crash undoes it. */
  readonly waiter: { settle(): void; reject(error: Error): void } | undefined
  readonly undone: (() => void) | undefined
}

/**
 * A state in memory with a line between what is durable and what is not.
 *
 * ```
 *   write ──► live state, pending ──► commit (takes time) ──► durable ──► told
 *                    │ outage: hard ones are undone and refused, soft ones stay pending
 *                    ▼ crash: everything that is not durable is gone
 * ```
 */
export interface Pipe {
  readonly state: State
  /** Applied at once, told when it is durable. Rejects with {@link StoreError}; nothing of it remains then. */
  hard<T>(apply: Operation<T>, hooks?: { onTold?(value: T): void; onUndone?(): void }): Promise<T>
  /** Applied at once and told at once; a crash may undo it. */
  soft<T>(apply: Operation<T>): T
  /** Waits for what is not durable yet. Rejects when that fails. */
  settled(): Promise<void>
  readonly hasHardPending: boolean
  readonly isFailing: boolean
  /** Resolves after the next commit that succeeds, rejects after one that fails. */
  flushed(): Promise<void>
  crash(): void
}

const groupMs = 10
const retryMs = 250

export function createPipe(clock: Clock, weather: DiskWeather, flaw?: DiskFlaw): Pipe {
  const durable: Operation<unknown>[] = []
  let pending: Pending[] = []
  /** Those that the commit under way will make durable. */
  let committing: Pending[] = []
  let state = createState(flaw)
  let timer: Disposable | undefined
  let dueAt = Infinity
  let isFailing = false
  /** Commits of an earlier life end nowhere. */
  let life = 0

  function rebuild(): void {
    state = createState(flaw)
    for (const apply of durable) apply(state)
    for (const { apply } of [...committing, ...pending]) apply(state)
  }

  function schedule(ms: number): void {
    const at = clock.monotonic() + ms
    if (committing.length > 0 || at >= dueAt) return
    timer?.[Symbol.dispose]()
    dueAt = at
    timer = clock.timer(ms, begin)
  }

  function begin(): void {
    timer = undefined
    dueAt = Infinity
    if (pending.length === 0) return
    committing = pending
    pending = []
    const ms = weather.commitMs()
    const mine = life
    if (ms === 0) return end()
    clock.timer(ms, () => mine === life && end())
  }

  function end(): void {
    const kind = weather.outage()
    if (kind !== undefined) return fail(kind)
    const mine = life
    weather.onCommitting()
    if (mine !== life) return
    const done = committing
    committing = []
    isFailing = false
    for (const { apply } of done) durable.push(apply)
    weather.onDurable()
    if (mine !== life) return
    for (const { waiter } of done) waiter?.settle()
    if (pending.length > 0) schedule(pending.some(({ waiter }) => waiter) ? 0 : groupMs)
  }

  function fail(kind: 'full' | 'unavailable'): void {
    const failed = [...committing, ...pending].filter(({ waiter }) => waiter !== undefined)
    pending = [...committing, ...pending].filter(({ waiter }) => waiter === undefined)
    committing = []
    isFailing = true
    rebuild()
    for (const { undone } of failed) undone?.()
    for (const { waiter } of failed)
      waiter?.reject(new StoreError(kind, 'the disk refused a write'))
    if (pending.length > 0) schedule(retryMs)
  }

  function hard<T>(
    apply: Operation<T>,
    hooks: { onTold?(value: T): void; onUndone?(): void } = {},
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const value = apply(state)
    pending.push({
      apply,
      waiter: {
        settle() {
          hooks.onTold?.(value)
          resolve(value)
        },
        reject,
      },
      undone: () => hooks.onUndone?.(),
    })
    schedule(0)
    if (flaw === 'tells-early') resolve(value)
    return promise
  }

  return {
    get state() {
      return state
    },
    hard,
    soft(apply) {
      const value = apply(state)
      pending.push({ apply, waiter: undefined, undone: undefined })
      schedule(isFailing ? retryMs : groupMs)
      return value
    },
    async settled() {
      if (this.hasHardPending) await hard(() => undefined)
    },
    get hasHardPending() {
      return [...committing, ...pending].some(({ waiter }) => waiter !== undefined)
    },
    get isFailing() {
      return isFailing
    },
    flushed: () => hard(() => undefined),
    crash() {
      life += 1
      weather.onLost(committing.length + pending.length)
      timer?.[Symbol.dispose]()
      timer = undefined
      dueAt = Infinity
      committing = []
      pending = []
      isFailing = false
      rebuild()
    },
  }
}
