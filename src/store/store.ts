import { GatewayError, UnavailableError } from '../errors.ts'
import type { AssistantId } from '../domain.ts'
import type { StoreDurability } from '../domain/durability.ts'
import type { Clock } from '../lib/clock.ts'
import type { Evidence, IsolationRecord, IsolationTarget, Proof } from '../domain/isolation.ts'
import type { Ledger } from './ledger.ts'
import type { ReplyLog } from './log.ts'
import type { Outbox } from './outbox.ts'

/** The interfaces of one engine, opened and closed together. */
export interface Store extends ReplyStore {
  readonly isolation: IsolationRecords
}

/** What replies need of it. */
export interface ReplyStore extends AsyncDisposable {
  readonly ledger: Ledger
  readonly log: ReplyLog
  readonly outbox: Outbox
  readonly instances: Instances
  /** The time of all that is stored, and of what is compared with it: the same for all gateways that share the store. */
  readonly clock: Clock
  /** Rejects with {@link StoreError} when a write cannot be made durable now. */
  ping(): Promise<void>
  /** What a write survives that was made durable now. */
  durability(): Promise<StoreDurability>
}

/** The gateways that share a store; most stores are one gateway's alone. */
export interface Instances {
  readonly isShared: boolean
  /** How many live, this one among them. */
  readonly live: number
  /** Whether this instance is to do now what one of all does at an interval. */
  takeDuty(name: string, everyMs: number): Promise<boolean>
}

/**
 * A write failed. `full`: no room on the device; `unavailable`: anything else. Nothing of the failed write remains, unless it
 * is `unknown` whether it was made. To a caller who meets it the gateway is unavailable for now.
 */
export class StoreError extends GatewayError {
  override readonly name = 'StoreError'
  readonly code = 'UNAVAILABLE'
  readonly status = 503
  override readonly retryable = true
  readonly retryAfterMs = 1000
  readonly kind: 'full' | 'unavailable' | 'unknown'
  constructor(kind: StoreError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** A write that a caller waits for. @throws {@link UnavailableError} when the store does not take it, which says what was done. */
export async function stored<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const message =
      error.kind === 'unknown'
        ? 'The gateway does not know whether it was stored. Send it again under the same idempotency key.'
        : 'The gateway could not store it. Nothing was done.'
    throw new UnavailableError(message, { cause: error })
  }
}

/** The store cannot be opened: in use by another gateway, damaged, or of another key or version. The message says what to do. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError'
}

/** What was found out of how assistants keep sessions apart. */
export interface IsolationRecords {
  list(): Promise<readonly IsolationRecord[]>
  /** The last proof replaces the one before. */
  recordProof(target: IsolationTarget, proof: Proof): Promise<void>
  /** The first breach stays until it is cleared. */
  recordBreach(target: IsolationTarget, evidence: Evidence): Promise<void>
  clearBreaches(assistantId: AssistantId): Promise<void>
}
