import type { EventStream, Sink } from './event-stream.ts'
import type { SinkLimits } from './node-sink.ts'
import { commentFrame } from './sse.ts'

/** A stream as a body for `fetch`: made at the pace at which it is read. */
export function streamToBody(
  stream: EventStream,
  { clock, turns, stalledMs }: Pick<SinkLimits, 'clock' | 'turns' | 'stalledMs'>,
): ReadableStream<Uint8Array> {
  let wake: (() => void) | undefined
  let stall: Disposable | undefined
  let over = false
  let gone = () => {}

  return new ReadableStream<Uint8Array>({
    start(controller) {
      const sink: Sink = {
        write(chunk) {
          if (over) return undefined
          controller.enqueue(Buffer.from(chunk))
          if ((controller.desiredSize ?? 0) > 0) return turns.take(chunk.length)
          stall = clock.timer(stalledMs, () => {
            over = true
            controller.error(new Error('the reader has stalled'))
            reader.gone('stalled')
          })
          return new Promise((resolve) => {
            wake = resolve
          })
        },
        keepAlive() {
          if (!over && (controller.desiredSize ?? 0) > 0)
            controller.enqueue(Buffer.from(commentFrame))
        },
        interrupt: settle,
        end() {
          if (over) return
          over = true
          controller.close()
        },
      }
      const reader = stream.open(sink)
      gone = () => reader.gone('client-gone')
    },
    pull: settle,
    cancel() {
      over = true
      gone()
    },
  })

  function settle(): void {
    stall?.[Symbol.dispose]()
    stall = undefined
    wake?.()
    wake = undefined
  }
}
