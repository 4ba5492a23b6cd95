import type { FailureTwist } from './twists.ts'
import type { Dialect } from './frames.ts'
import type { Chat } from './world.ts'

/** An event of a stream: its name, and its data as an object or as bare text. */
export interface Told {
  readonly name: string
  readonly data: object | string
}

/** How a platform tells of one run, and what it does about it beside. */
export interface Telling {
  readonly dialect: Dialect
  readonly tellsThoughts: boolean
  /** A note after the last answer says that it is whole. */
  readonly notesFinish: boolean
  /** That note is listed with the messages of the run. */
  readonly keepsNotes: boolean
  /** A cancel changes the record until the run has ended, and no more. */
  readonly ignoresCancels: boolean
  /** A run stores no answer once its reader has left. */
  readonly forgetsUnread: boolean
  /** It can wait for an answer, or for the outputs of tools. */
  readonly canAsk: boolean
  /** The tools that it asks for when it waits. */
  readonly toolCallIds: readonly string[]
  /** Data of `conversation.chat.<name>`. */
  chat(name: string): object
  /** Data of a message or of a piece of one. */
  message(id: string, content: string): object
  /** Data of a whole answer. */
  answer(id: string, content: string): object
  readonly done: Told
  /** How it tells that the run failed, and what is kept of that. `isOver`: the body ends there, without its `done`. */
  failed(twist: FailureTwist): {
    readonly status: Chat['status']
    readonly code: number
    readonly events: readonly Told[]
    readonly isOver: boolean
  }
}
