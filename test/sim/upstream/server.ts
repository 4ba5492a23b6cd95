import type { Buffer } from 'node:buffer'

export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** One HTTP answer on its way. */
export interface WireAnswer {
  head(status: number, headers: Readonly<Record<string, string>>): void
  write(bytes: Buffer): void
  end(): void
  /** Breaks the connection. */
  reset(): void
  /** Runs when the other side has gone, however. */
  onGone(run: () => void): void
  readonly isOpen: boolean
}

export interface UpstreamServer {
  /** False: nobody listens. */
  readonly isUp: boolean
  handle(request: WireRequest, answer: WireAnswer): void
}

/** The answer that nobody hears. */
export const unheard: WireAnswer = {
  head() {},
  write() {},
  end() {},
  reset() {},
  onGone() {},
  isOpen: false,
}
