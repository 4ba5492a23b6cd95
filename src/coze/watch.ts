import type { UpstreamFailure } from '../domain/upstream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import type { BaseUrls } from './wire-request.ts'
import { type CozeCall, callRules } from './calls.ts'
import { CozeError, type CallOrigin, isKnownCode } from './errors.ts'

/** One upstream call, all its tries together, as metrics and traces see it. Left without an end, it was aborted. */
export interface WatchedCall extends Disposable {
  /** Waits for its answer, and reads it. */
  settle<A extends { readonly logId?: string | undefined }, T>(
    answer: Promise<A>,
    read: (answer: A) => T,
  ): Promise<T>
  /** Waits for its stream, which is told of by `done` and `failed`. */
  opened<T extends { readonly logId?: string | undefined }>(stream: Promise<T>): Promise<T>
  done(): void
  failed(error: unknown): void
  /** The stream came to its end, and said that the run failed. */
  reported(error: CozeError): void
}

/**
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
export function createWatch({
  clock,
  metrics,
  tracer,
  onFailure,
  baseUrls,
}: {
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'upstreamCalled'>
  readonly tracer: Tracer
  readonly onFailure: (failure: UpstreamFailure) => void
  readonly baseUrls: BaseUrls
}): (
  method: string,
  request: { readonly call: CozeCall; readonly target: { readonly baseUrl: string } },
) => WatchedCall {
  return (method, { call, target }) => {
    const startedAt = clock.monotonic()
    const { route } = callRules[call]
    const { hostname, port } = baseUrls.of(target.baseUrl)
    const span = tracer.start(`${method} ${route}`, {
      method,
      route,
      host: hostname,
      port,
    })
    let outcome = 'aborted'

    function failed(error: unknown): void {
      if (!(error instanceof CozeError)) return
      outcome = error.kind
      const { upstreamCode, systemCode, logId } = error
      span.set({ upstreamCode, systemCode, logId })
      span.fail(error.kind)
      reported(error)
    }

    function reported({ facts }: CozeError): void {
      if (facts !== undefined) onFailure(facts)
    }

    async function opened<T extends { readonly logId?: string | undefined }>(
      wanted: Promise<T>,
    ): Promise<T> {
      try {
        const found = await wanted
        span.set({ logId: found.logId })
        return found
      } catch (error) {
        failed(error)
        throw error
      }
    }

    return {
      opened,
      async settle(wanted, read) {
        const answer = await opened(wanted)
        try {
          const value = read(answer)
          outcome = 'ok'
          return value
        } catch (error) {
          failed(error)
          throw error
        }
      },
      done: () => (outcome = 'ok'),
      failed,
      reported,
      [Symbol.dispose]() {
        span.end()
        metrics.upstreamCalled(call, outcome, clock.monotonic() - startedAt)
      },
    }
  }
}

/** Counts a failure under labels that no upstream can make more of. */
export function reportError(
  metrics: Pick<Metrics, 'upstreamError'>,
  { call }: CallOrigin,
  error: CozeError,
): void {
  metrics.upstreamError(call, error.kind, codeOf(error))
}

/**
 * The most exact code that is known: of the system, of the upstream (`other`: an undocumented one), or the HTTP status.
 * `uncoded`: there is none, since the gateway itself judged the answer or the upstream gave no reason.
 */
function codeOf({ systemCode, upstreamCode, httpStatus }: CozeError): string {
  if (systemCode !== undefined) return systemCode
  if (upstreamCode !== undefined) return isKnownCode(upstreamCode) ? upstreamCode : 'other'
  return httpStatus === undefined || httpStatus < 300 ? 'uncoded' : `HTTP_${httpStatus}`
}
