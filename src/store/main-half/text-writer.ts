import type { Clock } from '../../lib/clock.ts'
import { StoreError } from '../store.ts'
import type { UnwrittenText } from './unwritten-text.ts'
import type { EngineClient } from './engine-client.ts'

/** A running reply whose text is written with that of others. */
export interface TextSource {
  readonly unwritten: UnwrittenText
  /** The store has less than was written: all of it is to be written again. */
  behind(): void
  /** The reply does not run under its lease any more. */
  lost(): void
}

/** How long text waits for company, in ms; and how long after a write that failed the next one is tried. */
const groupMs = 250
/** Code units of all replies that may wait for the disk before their runs have to. */
const maxWaiting = 1024 * 1024
/** The same while an outage of the store is borne with, and the most of one reply. */
const maxHeld = 32 * 1024 * 1024
const maxHeldOfOne = 256 * 1024

/** A run that waits until the next write of its text has ended. */
interface Waiter extends PromiseWithResolvers<void> {
  readonly source: TextSource
}

/** Writes what is new of all running replies together. Nobody waits for it, unless too much waits or the store fails. */
export class TextWriter {
  readonly #client: EngineClient
  readonly #clock: Clock
  readonly #sources = new Set<TextSource>()
  /** Whose text is being written: what is new of them meanwhile waits for that, and for no other write. */
  readonly #writing = new Set<TextSource>()
  /** Code units that are not on disk. */
  #waiting = 0
  #timer: Disposable | undefined
  #waiters: Waiter[] = []

  constructor(client: EngineClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /**
   * Something new of a reply waits, with so many code units of text. Undefined: go on; a promise: wait for it before there
   * is more.
   */
  add(source: TextSource, length: number): Promise<void> | undefined {
    this.#sources.add(source)
    this.#waiting += length
    if (this.#isBorne(source)) {
      this.#schedule()
      return undefined
    }
    const waiter = { source, ...Promise.withResolvers<void>() }
    this.#waiters.push(waiter)
    // A store that fails is not asked at once again.
    if (this.#client.isFailing) this.#schedule()
    else this.#write()
    return waiter.promise
  }

  /** What is new of the reply is written by another call, or never. */
  remove(source: TextSource): void {
    for (const { resolve } of this.#takeWaiters([source])) resolve()
    if (this.#sources.delete(source)) this.#count()
  }

  /** Writes what is new of one reply now, ahead of whatever is called next, unless that is under way. */
  flush(source: TextSource): void {
    if (source.unwritten.isPosted) return
    this.#sources.delete(source)
    this.#post([source]).catch(() => {})
  }

  /** Finds out when the store writes again. */
  retry(): void {
    this.#schedule()
  }

  /** Writes what waits; nothing is retried. */
  close(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    const sources = [...this.#sources]
    this.#sources.clear()
    this.#post(sources).catch(() => {})
  }

  /** Whether the text of a reply may wait for the store while its run goes on. */
  #isBorne(source: TextSource): boolean {
    if (this.#client.isGivenUp) return false
    if (!this.#client.isFailing) return this.#waiting <= maxWaiting
    return this.#waiting <= maxHeld && source.unwritten.length <= maxHeldOfOne
  }

  #schedule(): void {
    if (this.#client.isClosed) return
    this.#timer ??= this.#clock.timer(groupMs, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  /** One write of each reply at a time: what comes meanwhile makes the next one. A write that hangs keeps no other reply's. */
  #write(): void {
    const sources = [...this.#sources].filter((source) => !this.#writing.has(source))
    if (sources.length === 0 && this.#writing.size > 0) return
    for (const source of sources) {
      this.#sources.delete(source)
      this.#writing.add(source)
    }
    void this.#post(sources)
      .catch(() => this.#schedule())
      .finally(() => {
        for (const source of sources) this.#writing.delete(source)
        if (this.#client.isFailing || this.#timer !== undefined) this.#schedule()
        else if (this.#waiters.length > 0) this.#write()
        else if (this.#sources.size > 0) this.#schedule()
      })
  }

  #takeWaiters(sources: readonly TextSource[]): readonly Waiter[] {
    const { taken = [], left = [] } = Object.groupBy(this.#waiters, ({ source }) =>
      sources.includes(source) ? 'taken' : 'left',
    )
    this.#waiters = left
    return taken
  }

  async #post(sources: readonly TextSource[]): Promise<void> {
    const waiters = this.#takeWaiters(sources)
    const writes = sources
      .filter(({ unwritten }) => !unwritten.isEmpty)
      .map((source) => ({ source, started: source.unwritten.write(false) }))
    try {
      if (writes.length === 0) {
        if (this.#client.isFailing) await this.#client.call('ping', { at: this.#client.now })
      } else
        await this.#client.call(
          'writeTexts',
          { texts: writes.map(({ started }) => started.write) },
          (outcomes) => {
            for (const [index, { source, started }] of writes.entries()) {
              const outcome = outcomes[index]
              started.ended(outcome === 'written')
              if (outcome === 'behind') {
                source.behind()
                this.#sources.add(source)
              } else if (outcome !== 'written') source.lost()
            }
            this.#count()
          },
        )
    } catch (error) {
      for (const { started } of writes) started.ended(false)
      if (error instanceof StoreError || writes.length < 2) {
        for (const { source } of writes) this.#sources.add(source)
        this.#count()
        for (const waiter of waiters) {
          if (this.#isBorne(waiter.source)) waiter.resolve()
          else if (this.#client.isFailing) waiter.reject(error)
          else this.#waiters.push(waiter)
        }
        throw error
      }
      // What is stored of one of them is damaged, which is no failure of the others: each is written by itself.
      await Promise.allSettled(writes.map(({ source }) => this.#post([source])))
    }
    for (const { resolve } of waiters) resolve()
  }

  #count(): void {
    this.#waiting = 0
    for (const { unwritten } of this.#sources.union(this.#writing)) {
      this.#waiting += unwritten.length
    }
  }
}
