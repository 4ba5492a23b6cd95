import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { StoreError, StoreOpenError } from '../store.ts'
import type { ArgsOf, Method, ResultOf } from './calls.ts'
import type { WrittenEvent } from './stored.ts'
import type { AnswerMessage, CallMessage, FromEngine, ToEngine } from './messages.ts'

/** What owns the database, as far as the client knows it. */
export interface Engine {
  post(calls: ToEngine): void
  /** Whether the process stays alive for it. */
  keepAlive(isKept: boolean): void
  terminate(): Promise<void>
}

export interface EngineListener {
  message(message: FromEngine): void
  /** The fences of the leases that are held in memory. */
  held(): readonly string[]
  /** It has ended by an error, or without having been asked to. */
  died(error: Error): void
}

export interface EngineClientOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'storeWritten'>
  /** How long an outage is borne with, in ms, before running replies and their readers hear of it. Default 0. */
  readonly bearMs?: number
  /** Called when a write failed that nothing was known of, once its calls are rejected. */
  readonly onFailing: () => void
  readonly held: () => readonly string[]
  readonly onLost: (fences: readonly string[]) => void
  /** Called when the store has failed for too long to be borne with. */
  readonly onGivenUp: () => void
  /** Called when the engine has died after it was opened, once its calls are rejected. */
  readonly onDied: (error: Error) => void
}

/** How long closing may take, in ms: a disk that hangs keeps nobody. */
const closeMs = 10_000

interface Pending {
  readonly isProof: boolean
  readonly done: (value: unknown, events: readonly WrittenEvent[]) => void
  readonly failed: (error: Error) => void
}

/**
 * Posts calls to the engine and matches their answers. All calls of one turn of the event loop are one message; answers
 * come in the order of the calls, and what they change in memory is done in that order.
 */
export class EngineClient implements AsyncDisposable {
  readonly #engine: Engine
  readonly #options: EngineClientOptions
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false
  #live = 1
  /** From the monotonic time to the time of the database. Undefined: that has no time of its own. */
  #offsetMs: number | undefined
  readonly #pending = new Map<number, Pending>()
  #calls: CallMessage[] = []
  #lastId = 0
  /** `given-up`: it has failed for too long to be borne with. */
  #health: 'writes' | 'fails' | 'given-up' = 'writes'
  /** The timer of an outage that is borne with. */
  #bearing: Disposable | undefined
  /** Set once nothing is taken any more, with what callers are told. */
  #closed: StoreError | undefined
  #closing: Promise<void> | undefined

  constructor(start: (listener: EngineListener) => Engine, options: EngineClientOptions) {
    this.#options = options
    this.#engine = start({
      message: (message) => this.#receive(message),
      held: () => options.held(),
      died: (error) => this.#died(error),
    })
  }

  /** Resolves when calls are taken. @throws {@link StoreOpenError} as a rejection */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  /** How many instances share the database. */
  get live(): number {
    return this.#live
  }

  /** The wall clock of all who use the database. */
  get now(): number {
    const { clock } = this.#options
    return this.#offsetMs === undefined
      ? clock.now()
      : Math.round(clock.monotonic() + this.#offsetMs)
  }

  /** The last write failed. */
  get isFailing(): boolean {
    return this.#health !== 'writes'
  }

  /** Writes have failed for so long that nothing may wait for the store any more, or fail since its disk is full. */
  get isGivenUp(): boolean {
    return this.#health === 'given-up'
  }

  /** Nothing is taken any more. */
  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /**
   * @param apply changes memory when the answer comes, before that of any later call; what it returns is resolved with
   * @throws {@link StoreError} as a rejection
   */
  call<M extends Method>(method: M, args: ArgsOf<M>): Promise<ResultOf<M>>
  call<M extends Method, T>(
    method: M,
    args: ArgsOf<M>,
    apply: (value: ResultOf<M>, events: readonly WrittenEvent[]) => T,
  ): Promise<T>
  call<M extends Method, T>(
    method: M,
    args: ArgsOf<M>,
    apply?: (value: ResultOf<M>, events: readonly WrittenEvent[]) => T,
  ): Promise<T | ResultOf<M>> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) {
        reject(this.#closed)
        return
      }
      this.#lastId += 1
      const id = this.#lastId
      this.#pending.set(id, {
        isProof: proofs.has(method),
        done: (value, events) => {
          // The engine answers each method with its own result.
          const result = value as ResultOf<M>
          try {
            resolve(apply === undefined ? result : apply(result, events))
          } catch (error) {
            reject(error)
          }
        },
        failed: reject,
      })
      this.#post({ id, method, args } as CallMessage)
    })
  }

  #receive(message: FromEngine): void {
    switch (message.type) {
      case 'opened':
        this.#isOpen = true
        this.#engine.keepAlive(false)
        this.#opened.resolve()
        break
      case 'refused':
        this.#opened.reject(new StoreOpenError(message.message))
        break
      case 'answers':
        // Answers to those who only read have written nothing.
        if (message.commitMs > 0) this.#options.metrics.storeWritten(message.commitMs)
        for (const answer of message.answers) this.#settle(answer)
        if (this.#pending.size === 0) this.#engine.keepAlive(false)
        break
      case 'note':
        this.#options.logger[message.level](message.detail, message.message)
        break
      case 'lost':
        this.#options.onLost(message.fences)
        break
      case 'time':
        this.#offsetMs = message.offsetMs
        break
      case 'live':
        this.#live = message.count
        break
    }
  }

  #died(error: Error): void {
    const isClosing = this.#closed !== undefined
    if (isClosing && this.#pending.size === 0) return
    this.#end(new StoreError('unavailable', 'the store has stopped', { cause: error }))
    if (isClosing) return
    this.#opened.reject(error)
    if (this.#isOpen) this.#options.onDied(error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  #post(call: CallMessage): void {
    this.#calls.push(call)
    if (this.#calls.length > 1) return
    if (this.#pending.size === 1) this.#engine.keepAlive(true)
    // Not a microtask: all that one poll of the event loop brought in is one message.
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    if (this.#calls.length === 0) return
    this.#engine.post(this.#calls)
    this.#calls = []
  }

  #settle(answer: AnswerMessage): void {
    const pending = this.#pending.get(answer.id)
    if (pending === undefined) return
    this.#pending.delete(answer.id)
    if (answer.type === 'done') {
      if (pending.isProof || answer.events.length > 0) this.#writes()
      pending.done(answer.value, answer.events)
      return
    }
    const { kind, message, scope } = answer
    if (kind === undefined) {
      pending.failed(new Error(message))
      return
    }
    // Whoever hears of the failure finds the store failing.
    const isNews = scope === undefined && this.#fails(kind)
    pending.failed(new StoreError(kind, message))
    if (isNews) this.#options.onFailing()
  }

  #writes(): void {
    this.#health = 'writes'
    this.#bearing?.[Symbol.dispose]()
    this.#bearing = undefined
  }

  /** Returns whether it wrote before. */
  #fails(kind: StoreError['kind']): boolean {
    const wrote = this.#health === 'writes'
    const { bearMs = 0, clock } = this.#options
    // Room on a disk does not come by itself.
    if (kind === 'full' || bearMs === 0) this.#giveUp()
    else if (wrote) {
      this.#health = 'fails'
      this.#bearing = clock.timer(bearMs, () => this.#giveUp())
    }
    return wrote
  }

  #giveUp(): void {
    if (this.#health === 'given-up') return
    this.#health = 'given-up'
    this.#bearing?.[Symbol.dispose]()
    this.#bearing = undefined
    this.#options.onGivenUp()
  }

  async #close(): Promise<void> {
    if (this.#closed !== undefined || !this.#isOpen) {
      this.#closed ??= new StoreError('unavailable', 'the store is closed')
      await this.#engine.terminate()
      return
    }
    const closed = this.call('close', {})
    this.#closed = new StoreError('unavailable', 'the store is closed')
    this.#flush()
    const late = Promise.withResolvers<never>()
    using _timer = this.#options.clock.timer(closeMs, () =>
      late.reject(new StoreError('unavailable', 'the store could not be closed in time')),
    )
    try {
      await Promise.race([closed, late.promise])
    } finally {
      this.#end(this.#closed)
      await this.#engine.terminate()
    }
  }

  #end(error: StoreError): void {
    this.#closed = error
    this.#bearing?.[Symbol.dispose]()
    this.#bearing = undefined
    this.#calls = []
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { failed } of pending) failed(error)
  }
}

/** Calls that succeed only where the store can be written. */
const proofs: ReadonlySet<Method> = new Set<Method>(['ping', 'writeTexts'])
