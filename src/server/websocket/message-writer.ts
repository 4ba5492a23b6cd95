import { WebSocket } from 'ws'
import { sliceEnd } from '../../lib/surrogate.ts'
import type { OwnTurns } from '../../lib/turns.ts'
import type { SinkLimits } from '../node/node-sink.ts'

/** A long message is sent in fragments of so many UTF-16 code units. */
const sliceLength = 8_192

/** Sends whole messages to one client, one after another, no faster than the client reads. */
export class MessageWriter {
  readonly #ws: WebSocket
  readonly #limits: SinkLimits
  readonly #turns: OwnTurns
  readonly #stalled: () => void
  readonly #settle = () => this.#wake?.()
  #wake: (() => void) | undefined
  /** Messages that wait; each waits for the one before it. */
  #waiting = 0
  #last: Promise<void> = Promise.resolve()

  /** `stalled`: called when the client has read nothing for `stalledMs`. */
  constructor(ws: WebSocket, limits: SinkLimits, stalled: () => void) {
    this.#ws = ws
    this.#limits = limits
    this.#turns = limits.turns.of(this)
    this.#stalled = stalled
    ws.on('close', this.#settle)
  }

  /** If it returns a promise, the next message should wait for it. After the end of the connection messages are dropped. */
  write(message: string): Promise<void> | undefined {
    if (!this.#isOpen) return undefined
    if (this.#waiting === 0 && message.length <= sliceLength && this.#ws.bufferedAmount === 0) {
      this.#ws.send(message, this.#settle)
      return this.#turns.take(message.length)
    }
    this.#waiting += 1
    this.#last = this.#last.then(() => this.#writeSlices(message))
    return this.#last
  }

  /** Resolves when the messages that wait now were sent or dropped. */
  async sent(): Promise<void> {
    if (this.#waiting > 0) await this.#last
  }

  get #isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN
  }

  /** Never rejects. Only the fragment that is sent next is encoded and copied. */
  async #writeSlices(message: string): Promise<void> {
    for (let from = 0; from < message.length && this.#isOpen;) {
      const to = sliceEnd(message, from, sliceLength)
      const slice = message.slice(from, to)
      const bytes = Buffer.byteLength(slice)
      while (this.#isOpen && !this.#fits(bytes)) await this.#room()
      if (!this.#isOpen) break
      this.#ws.send(slice, { binary: false, fin: to >= message.length }, this.#settle)
      from = to
      const turn = this.#turns.take(bytes)
      if (turn) await turn
    }
    this.#waiting -= 1
  }

  #fits(bytes: number): boolean {
    const { bufferedAmount } = this.#ws
    return bufferedAmount === 0 || bufferedAmount + bytes <= this.#limits.maxBufferedBytes
  }

  async #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    using _stall = this.#limits.clock.timer(this.#limits.stalledMs, this.#stalled)
    this.#wake = resolve
    await promise
    this.#wake = undefined
  }
}
