import type { Clock } from '../lib/clock.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Tracer } from '../observe/tracer.ts'
import { CozeError } from './errors.ts'

/** One upstream call, all its tries together, as metrics and traces see it. Left without an end, it was aborted. */
export interface WatchedCall extends Disposable {
  /** Waits for its answer. */
  settle<T extends { readonly logId?: string | undefined }>(answer: Promise<T>): Promise<T>
  /** Waits for its stream, which is told of by `done` and `failed`. */
  opened<T extends { readonly logId?: string | undefined }>(stream: Promise<T>): Promise<T>
  done(): void
  failed(error: unknown): void
}

/**
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
export function createWatch({
  clock,
  metrics,
  tracer,
}: {
  readonly clock: Clock
  readonly metrics: Pick<Metrics, 'upstreamCalled'>
  readonly tracer: Tracer
}): (
  method: string,
  call: { readonly target: { readonly baseUrl: string }; readonly path: string },
) => WatchedCall {
  return (method, { target, path }) => {
    const startedAt = clock.monotonic()
    const route = routeOf(path)
    const { hostname, port } = new URL(target.baseUrl)
    const span = tracer.start(`${method} ${route}`, {
      'http.request.method': method,
      'url.template': route,
      'server.address': hostname,
      'server.port': port === '' ? undefined : Number(port),
    })
    let outcome = 'aborted'

    function failed(error: unknown): void {
      if (!(error instanceof CozeError)) return
      outcome = error.kind
      span.set({ 'coze.code': error.upstreamCode, 'coze.log_id': error.logId })
      span.fail(error.kind)
    }

    async function opened<T extends { readonly logId?: string | undefined }>(
      wanted: Promise<T>,
    ): Promise<T> {
      try {
        const found = await wanted
        span.set({ 'coze.log_id': found.logId })
        return found
      } catch (error) {
        failed(error)
        throw error
      }
    }

    return {
      opened,
      async settle(wanted) {
        const answer = await opened(wanted)
        outcome = 'ok'
        return answer
      },
      done: () => (outcome = 'ok'),
      failed,
      [Symbol.dispose]() {
        span.end()
        metrics.upstreamCalled(route, outcome, clock.monotonic() - startedAt)
      },
    }
  }
}

/** The path with names in place of ids: routes are few. */
function routeOf(path: string): string {
  return path
    .replace(/\/conversations\/[^/]+/, '/conversations/:conversation_id')
    .replace(/\/messages\/[^/]+/, '/messages/:message_id')
    .replace(/\/account\/[^/]+/, '/account/:account_id')
}
