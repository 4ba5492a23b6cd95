import type { Clock } from '../../lib/clock.ts'
import { sliceEnd } from '../../lib/surrogate.ts'
import type { OwnTurns, SharedTurns } from '../../lib/turns.ts'
import type { Logger } from '../../observe/logger.ts'
import type { TakenConnection } from './connections.ts'
import type { ResponseStream, Gone, Sink, ResponseReader } from '../streams/response-stream.ts'
import { ConnectionWire, createWire, type HostResponse, isGone, type Wire } from './wire.ts'

/** The UTF-16 code units of a long text that are written at once. */
const sliceLength = 8_192

export interface SinkLimits {
  readonly clock: Clock
  readonly logger: Logger
  /** Readers that keep up take turns by the bytes that are written to them. */
  readonly turns: SharedTurns
  /** The bytes that may wait for a client that does not read. */
  readonly maxBufferedBytes: number
  /** The connection is destroyed after this many ms without reading. */
  readonly stalledMs: number
  /** ms between two comments on an idle stream. */
  readonly keepAliveMs: number
}

/** Sends a stream straight to a response, whose head has been written. */
export function streamToNode(stream: ResponseStream, res: HostResponse, limits: SinkLimits): void {
  const sink = new NodeSink(createWire(res), limits)
  res.on('close', () => sink.closed())
  // A response that fails is closed as well, and the close is handled.
  res.on('error', ignore)
  sink.open(stream)
  // The client may have gone while the response was made.
  if (isGone(res)) sink.closed()
}

/** Sends a stream to a connection that was taken from HTTP behind the head of the response. */
export function streamToConnection(
  stream: ResponseStream,
  connection: TakenConnection,
  limits: SinkLimits,
): void {
  const sink = new NodeSink(new ConnectionWire(connection), limits)
  connection.user = sink
  sink.open(stream)
}

/** There are thousands of these, mostly idle, so each holds only one closure, which is called for each write. */
class NodeSink implements Sink {
  readonly #wire: Wire
  readonly #limits: SinkLimits
  readonly #turns: OwnTurns
  readonly #settle = () => this.interruptWait()
  #reader: ResponseReader | undefined
  #wake: (() => void) | undefined
  #stall: Disposable | undefined
  #isSlicing = false
  /** Whether a frame was cut, so that nothing can follow it. */
  #isTorn = false
  #isEnded = false
  /** The reason why nobody reads any more. */
  #gone: Gone | undefined

  constructor(wire: Wire, limits: SinkLimits) {
    this.#wire = wire
    this.#limits = limits
    this.#turns = limits.turns.of(this)
  }

  open(stream: ResponseStream): void {
    this.#reader = stream.open(this)
    if (this.#gone !== undefined) this.#reader.gone(this.#gone)
  }

  write(chunk: string): Promise<void> | undefined {
    if (this.#isOver) return undefined
    // If nothing waits, the socket takes the text as it is.
    if (chunk.length > sliceLength * 2 || this.#wire.waiting > 0) return this.#writeSlices(chunk)
    try {
      this.#wire.write(chunk, this.#settle)
    } catch (err) {
      this.#fail(err)
    }
    return this.#turns.take(chunk.length)
  }

  keepAlive(text: string): void {
    if (this.#isOver || this.#wake || this.#isSlicing) return
    try {
      this.#wire.write(text, this.#settle)
    } catch (err) {
      this.#fail(err)
    }
  }

  interrupt(): void {
    this.#isTorn ||= this.#isSlicing
    this.interruptWait()
  }

  end(): void {
    if (this.#isTorn) this.#destroy()
    if (this.#gone !== undefined || this.#isEnded || this.#wire.isOver) return
    this.#isEnded = true
    try {
      this.#wire.end(() => this.#disarm())
    } catch (err) {
      return this.#fail(err)
    }
    if (this.#wire.waiting > 0) {
      this.#stall = this.#limits.clock.timer(this.#limits.stalledMs, () => this.#destroy())
    }
  }

  /** Called when the client has gone. */
  closed(): void {
    this.#leave('client-gone')
  }

  get #isOver(): boolean {
    return this.#gone !== undefined || this.#isTorn || this.#isEnded || this.#wire.isOver
  }

  #fits(bytes: number): boolean {
    const { waiting } = this.#wire
    return waiting === 0 || waiting + bytes <= this.#limits.maxBufferedBytes
  }

  /** A long text waits as a string: the rest is neither encoded nor copied before it is sent. */
  async #writeSlices(chunk: string): Promise<void> {
    this.#isSlicing = true
    for (let from = 0; from < chunk.length;) {
      const to = sliceEnd(chunk, from, sliceLength)
      const slice = chunk.slice(from, to)
      const bytes = Buffer.byteLength(slice)
      while (!this.#isOver && !this.#fits(bytes)) await this.#room()
      if (this.#isOver) break
      try {
        this.#wire.writeBytes(slice, this.#settle)
      } catch (err) {
        this.#fail(err)
      }
      from = to
      const turn = this.#turns.take(bytes)
      if (turn) await turn
    }
    this.#isSlicing = false
  }

  #room(): Promise<void> {
    this.#stall = this.#limits.clock.timer(this.#limits.stalledMs, () => {
      this.#leave('stalled')
      this.#destroy()
    })
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Wakes a writer that waits for room. */
  interruptWait(): void {
    if (!this.#wake) return
    this.#disarm()
    const resolve = this.#wake
    this.#wake = undefined
    resolve()
  }

  #disarm(): void {
    this.#stall?.[Symbol.dispose]()
    this.#stall = undefined
  }

  #leave(reason: Gone): void {
    this.#disarm()
    // After its end the stream does not use it any more.
    if (this.#isEnded) return
    if (this.#gone === undefined) {
      this.#gone = reason
      this.#reader?.gone(reason)
    }
    this.interruptWait()
  }

  /** The response belongs to the host, and middleware may wrap it. An error that it throws ends this response only. */
  #fail(err: unknown): void {
    this.#limits.logger.error({ err }, 'response of the host failed')
    this.#leave('error')
    this.#destroy()
  }

  #destroy(): void {
    destroyResponse(this.#wire)
  }
}

/** Ends a response that has failed already. An error while destroying it is ignored. */
export function destroyResponse(res: { destroy(): unknown }): void {
  try {
    res.destroy()
  } catch {
    // Its first failure was logged.
  }
}

function ignore(): void {}
