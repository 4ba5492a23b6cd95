import type { HttpResponse } from '../http.ts'
import type { Gone, ResponseReader, Sink } from '../streams/response-stream.ts'
import type { MessageWriter } from './message-writer.ts'

/** The part of its connection that an operation uses. */
export interface OperationOwner {
  readonly writer: MessageWriter
  /** Called when the operation has ended, so that its id can be used again. */
  ended(id: string, operation: Operation): void
  /** Closes the connection so that the client connects again and resumes. */
  moveElsewhere(): void
  /** Ends the connection at once, where a message was cut and nothing can follow it. */
  destroy(): void
}

/** One operation of a connection. Its response is written to it as messages without an id; a line break follows each. */
export class Operation implements Sink {
  readonly #id: string
  readonly #owner: OperationOwner
  #reader: ResponseReader | undefined
  /** The start of a message whose end was not written yet. */
  #begun = ''
  /** Writes that wait for the client. */
  #writing = 0
  #isComplete = false
  #gone: Gone | undefined

  constructor(id: string, owner: OperationOwner) {
    this.#id = id
    this.#owner = owner
  }

  /** Sends the response to the request of this operation. */
  async answer({ stream, body, held }: HttpResponse): Promise<void> {
    using _held = held
    if (stream) {
      if (this.#gone !== undefined) return stream.abandon()
      this.#reader = stream.open(this)
      return
    }
    const { errors }: { errors?: unknown } = typeof body === 'string' ? JSON.parse(body) : {}
    await this.write(`{"type":"error","payload":${JSON.stringify(errors ?? [])}}\n`)
    this.end()
  }

  /** Stops the operation, as nobody reads it any more. */
  leave(reason: Gone): void {
    if (this.#gone !== undefined) return
    this.#gone = reason
    this.#reader?.gone(reason)
  }

  write(chunk: string): Promise<void> | undefined {
    if (this.#gone !== undefined || this.#isComplete) return undefined
    this.#begun += chunk
    if (!chunk.includes('\n')) return undefined
    const lines = this.#begun.split('\n')
    this.#begun = lines.pop() ?? ''
    let room: Promise<void> | undefined
    for (const line of lines) {
      this.#isComplete = /^\{"type":"(?:complete|error)"/.test(line)
      room = this.#owner.writer.write(`{"id":${JSON.stringify(this.#id)},${line.slice(1)}`)
    }
    return room && this.#waitFor(room)
  }

  /** Does nothing: the connection sends pings. */
  keepAlive(): void {}

  interrupt(): void {
    if (this.#writing > 0) this.#owner.destroy()
  }

  end(): void {
    if (this.#gone === undefined && !this.#isComplete) this.#owner.moveElsewhere()
    this.#owner.ended(this.#id, this)
  }

  async #waitFor(room: Promise<void>): Promise<void> {
    this.#writing += 1
    await room
    this.#writing -= 1
  }
}
