import type { EventPlace, LogEvent, Position, TextPlace } from '../domain.ts'
import type { LogItem } from './log.ts'
import { isSamePlace, type TextOwner, type TextStep } from './reply-text.ts'

/** Readers at how many positions share their items. */
const maxShared = 8

/** Makes the positions that readers of one session's log are given: readers that stand at one position share one object. */
export class Positions {
  readonly #owner: object
  /** What was given out last, latest first. */
  #shared: { readonly from: Position; readonly item: LogItem }[] = []

  /** @param owner tells the positions that were given out for it from all others */
  constructor(owner: object) {
    this.#owner = owner
  }

  at({ seq, check }: EventPlace, texts: readonly TextPlace[] = none): Position {
    return new ReachedPosition(seq, check, texts, this.#owner)
  }

  /** Of a reader that is given a delta of one of the replies that run there. */
  afterText(from: Position, { event, place }: TextStep, running: readonly TextOwner[]): LogItem {
    const shared = this.#find(from, event)
    if (shared !== undefined) return shared
    const others = from.texts.filter(({ replyId }) => replyId !== place.replyId)
    const position = this.at(from, [...stillRunning(others, running), place])
    return this.#share(from, { event, position })
  }

  /** Of a reader that is given an event; `running` are the replies that run after it. */
  afterEvent(from: Position, event: LogEvent, running: readonly TextOwner[]): LogItem {
    const shared = this.#find(from, event)
    if (shared !== undefined) return shared
    return this.#share(from, {
      event,
      position: this.at(event, stillRunning(from.texts, running)),
    })
  }

  /** Lets go of what was given out last. */
  forget(): void {
    this.#shared = []
  }

  /** Whether this process has given the position out: the check of its event is then known to be right. */
  gaveOut(position: Position): boolean {
    return ReachedPosition.isOf(position, this.#owner)
  }

  #find(from: Position, event: LogItem['event']): LogItem | undefined {
    for (const { from: known, item } of this.#shared) {
      if (item.event === event && isSame(known, from)) return item
    }
    return undefined
  }

  #share(from: Position, item: LogItem): LogItem {
    if (this.#shared.length === maxShared) this.#shared.pop()
    this.#shared.unshift({ from, item })
    return item
  }
}

class ReachedPosition implements Position {
  readonly seq: number
  readonly check: string
  readonly texts: readonly TextPlace[]
  readonly #owner: object

  constructor(seq: number, check: string, texts: readonly TextPlace[], owner: object) {
    this.seq = seq
    this.check = check
    this.texts = texts
    this.#owner = owner
  }

  static isOf(position: Position, owner: object): boolean {
    return #owner in position && position.#owner === owner
  }
}

const none: readonly TextPlace[] = []

function stillRunning(
  texts: readonly TextPlace[],
  running: readonly TextOwner[],
): readonly TextPlace[] {
  if (texts.length === 0) return none
  return texts.filter(({ replyId }) => running.some((text) => text.replyId === replyId))
}

function isSame(one: Position, other: Position): boolean {
  if (one === other) return true
  if (one.seq !== other.seq || one.check !== other.check) return false
  if (one.texts.length !== other.texts.length) return false
  return one.texts.every((text, index) => {
    const same = other.texts[index]
    return same !== undefined && isSamePlace(text, same)
  })
}
