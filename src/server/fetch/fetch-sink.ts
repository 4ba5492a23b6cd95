import { onAbort } from '../../lib/on-abort.ts'
import type { ResponseStream, Gone, Sink, ResponseReader } from '../streams/response-stream.ts'
import type { SinkLimits } from '../node/node-sink.ts'

/**
 * A stream as a body for `fetch`. It is made at the pace of its reader, until the reader cancels it or `signal`, the
 * request's signal, aborts. `hasLength`: whether the head has a `content-length`.
 */
export function streamToBody(
  stream: ResponseStream,
  { signal, hasLength }: { readonly signal: AbortSignal; readonly hasLength: boolean },
  limits: Pick<SinkLimits, 'clock' | 'logger' | 'turns' | 'stalledMs'>,
): ReadableStream<Uint8Array> {
  const { clock, logger, stalledMs } = limits
  const turns = limits.turns.of(stream)
  let reader: ResponseReader | undefined
  let wake: (() => void) | undefined
  let stall: Disposable | undefined
  let over = false
  let gone: Gone | undefined
  let watch: Disposable | undefined

  return new ReadableStream<Uint8Array>({
    start(controller) {
      const sink: Sink = {
        write(chunk) {
          if (!attempt(() => controller.enqueue(Buffer.from(chunk)))) return undefined
          if ((controller.desiredSize ?? 0) > 0) return turns.take(chunk.length)
          stall = clock.timer(stalledMs, () => {
            attempt(() => controller.error(new Error('the reader has stalled')))
            leave('stalled')
          })
          return new Promise((resolve) => {
            wake = resolve
          })
        },
        keepAlive(text) {
          if ((controller.desiredSize ?? 0) > 0) {
            attempt(() => controller.enqueue(Buffer.from(text)))
          }
        },
        interrupt: settle,
        end() {
          attempt(() => controller.close())
          over = true
          watch?.[Symbol.dispose]()
        },
      }
      reader = stream.open(sink)
      if (gone !== undefined) reader.gone(gone)
      if (over) return
      watch = onAbort(signal, () => {
        // Hosts log failed bodies, and a stream may end anywhere. But a body that is shorter than its `content-length`
        // must fail.
        attempt(() => (hasLength ? controller.error(signal.reason) : controller.close()))
        leave('client-gone')
      })
    },
    pull: settle,
    cancel: () => leave('client-gone'),
  })

  /** Returns whether it succeeded. An error of the host's streams ends this stream only. */
  function attempt(work: () => void): boolean {
    if (over) return false
    try {
      work()
      return true
    } catch (err) {
      logger.error({ err }, 'response of the host failed')
      leave('error')
      return false
    }
  }

  function leave(reason: Gone): void {
    over = true
    gone ??= reason
    watch?.[Symbol.dispose]()
    reader?.gone(reason)
    settle()
  }

  function settle(): void {
    stall?.[Symbol.dispose]()
    stall = undefined
    wake?.()
    wake = undefined
  }
}
