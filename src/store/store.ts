import type { Ledger } from './ledger.ts'
import type { ReplyLog } from './log.ts'

/** The two interfaces of one engine, opened and closed together. */
export interface Store extends AsyncDisposable {
  readonly ledger: Ledger
  readonly log: ReplyLog
  /** Rejects with {@link StoreError} when a write cannot be made durable now. */
  ping(): Promise<void>
}

/** A write failed. `full`: no room on the device; `unavailable`: anything else. Nothing of the failed write remains. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly kind: 'full' | 'unavailable'
  constructor(kind: 'full' | 'unavailable', message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** The store cannot be opened: in use by another gateway, damaged, or of another key or version. The message says what to do. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError'
}
