import type { StoreError } from '../store.ts'
import type { ArgsOf, Method } from './calls.ts'
import type { WrittenEvent } from './stored.ts'

/** A call of one of the methods. */
export type CallOf<M extends Method> = {
  readonly [K in M]: { readonly id: number; readonly method: K; readonly args: ArgsOf<K> }
}[M]
/** One call; several may be posted as one message. */
export type CallMessage = CallOf<Method>
export type ToEngine = readonly CallMessage[]

export type AnswerMessage =
  | {
      readonly id: number
      readonly type: 'done'
      /** `ResultOf` the method. */
      readonly value: unknown
      readonly events: readonly WrittenEvent[]
    }
  /**
   * Nothing of it remains. `kind` undefined: a bug, told as an error that is no {@link StoreError}. `scope`: the store can
   * be written, though not for this call.
   */
  | {
      readonly id: number
      readonly type: 'failed'
      readonly kind: StoreError['kind'] | undefined
      readonly scope?: 'call'
      readonly message: string
    }

export type FromEngine =
  /** The first message: calls may be posted now. `running`: replies that `orphans` will take over. */
  | { readonly type: 'opened'; readonly running: number }
  /** The first message, and the last: the text of a StoreOpenError. */
  | { readonly type: 'refused'; readonly message: string }
  /** The answers of one transaction, in the order of the calls. */
  | {
      readonly type: 'answers'
      readonly answers: readonly AnswerMessage[]
      readonly commitMs: number
    }
  | ({ readonly type: 'note' } & Note)
  /** Leases that are held no more: another instance has taken them, or their replies have ended. */
  | { readonly type: 'lost'; readonly fences: readonly string[] }
  /** So many instances share the database now. */
  | { readonly type: 'live'; readonly count: number }
  /** What the monotonic time of this process is to be added to for the time of the database that instances share. */
  | { readonly type: 'time'; readonly offsetMs: number }

/** For the log of the process: no text of a user, no name of a session is in it. */
export interface Note {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly detail: Readonly<Record<string, unknown>>
}
