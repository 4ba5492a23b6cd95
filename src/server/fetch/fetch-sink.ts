import { onAbort } from '../../lib/on-abort.ts'
import type { ResponseStream, Gone, Sink, ResponseReader } from '../streams/response-stream.ts'
import type { SinkLimits } from '../node/node-sink.ts'

/**
 * A stream as a body for `fetch`: made at the pace at which it is read, until its reader cancels it or `signal`, which
 * is the request's, says that nobody is there any more. `hasLength`: whether the head says how long it is.
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
        // Hosts log what fails, and a stream may end anywhere; what is shorter than its head says must not end well.
        attempt(() => (hasLength ? controller.error(signal.reason) : controller.close()))
        leave('client-gone')
      })
    },
    pull: settle,
    cancel: () => leave('client-gone'),
  })

  /** Whether it was done. What the host's implementation of streams throws ends this stream, and nothing else. */
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
