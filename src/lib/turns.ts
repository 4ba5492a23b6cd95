/** Lets long pieces of work share the event loop: each goes on in its turn, and other work comes between. */
export interface Turns {
  /**
   * Asks to do so many units of work now. Undefined: go on. A promise: go on when it resolves, in one of the next turns of
   * the event loop. Among those who wait, the owner who has had least goes first, so that one who asks for much keeps
   * nobody else waiting; what one owner asks for is done in its order.
   */
  take(units: number): Promise<void> | undefined
}

/** For work whose size is known only when it is done. */
export interface OwnTurns extends Turns {
  /** Does it in a turn that has room for more; `unitsOf` tells how much it was. */
  run<T>(work: () => T, unitsOf: (done: T) => number): Promise<T>
}

/** Turns that several share. */
export interface SharedTurns extends Turns {
  /** The same turns, for work of this owner; without it all work is of one. Compared by identity. */
  of(owner: unknown): OwnTurns
}

/** Does what waits, or lets it go on, and tells how many units it has. */
type Waiting = () => number

/** What an owner waits to do. */
interface Line {
  readonly owner: unknown
  readonly waiting: Waiting[]
  /** Those before it in `waiting` have gone on: taking the first one away would copy all others. */
  next: number
  /** Units that its owner has had, and when it came to stand in its place: the first of those who have had least is next. */
  had: number
  order: number
}

/** The part of a turn up to which nothing is written down: most turns never have more. */
const freePart = 1 / 4

/** What has gone on is kept in a line up to so many, and as long as it is the smaller part of it. */
const maxGone = 1_024

/** Owners whose share is remembered although nothing of theirs waits. */
const maxRemembered = 1_024

/**
 * The little that is done in most turns is counted with what comes after it, since a new turn is noticed only at a price.
 *
 * @param perTurn units in one turn of the event loop; a piece that has more than that gets a turn of its own
 * @param nextTurn calls back in the next turn
 */
export function createTurns(
  perTurn: number,
  nextTurn: (run: () => void) => void = (run) => void setImmediate(run),
): SharedTurns {
  let done = 0
  let isScheduled = false
  const lines = new Map<unknown, Line>()
  const poorest = new LineHeap()
  let order = 0
  /** Units that each owner has had, since anybody had to wait; an owner who comes later begins with `level`. */
  const had = new Map<unknown, number>()
  let level = 0

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    nextTurn(turn)
  }

  function turn(): void {
    isScheduled = false
    done = 0
    while (done < perTurn) {
      const line = poorest.take()
      const first = line?.waiting[line.next]
      if (line === undefined || first === undefined) break
      level = line.had
      line.next += 1
      if (line.next === line.waiting.length) lines.delete(line.owner)
      else if (line.next >= maxGone && line.next * 2 >= line.waiting.length) {
        line.waiting.splice(0, line.next)
        line.next = 0
      }
      const units = first()
      done += units
      remember(units, line.owner)
      if (line.next < line.waiting.length) stand(line)
    }
    if (lines.size === 0) had.clear()
    else if (had.size > maxRemembered + lines.size) forgetIdle()
    if (done > 0) schedule()
  }

  function stand(line: Line): void {
    line.had = had.get(line.owner) ?? level
    line.order = order++
    poorest.add(line)
  }

  function charge(units: number, owner: unknown): void {
    done += units
    if (done <= perTurn * freePart) return
    schedule()
    remember(units, owner)
  }

  function remember(units: number, owner: unknown): void {
    had.set(owner, Math.max(had.get(owner) ?? level, level) + units)
  }

  function forgetIdle(): void {
    for (const owner of had.keys()) if (!lines.has(owner)) had.delete(owner)
  }

  function take(units: number, owner: unknown): Promise<void> | undefined {
    if (done < perTurn && lines.size === 0) {
      charge(units, owner)
      return undefined
    }
    schedule()
    return new Promise((go) =>
      wait(owner, () => {
        go()
        return units
      }),
    )
  }

  function wait(owner: unknown, waiting: Waiting): void {
    const known = lines.get(owner)
    if (known) return void known.waiting.push(waiting)
    const line = { owner, waiting: [waiting], next: 0, had: 0, order: 0 }
    lines.set(owner, line)
    stand(line)
  }

  async function run<T>(work: () => T, unitsOf: (done: T) => number, owner: unknown): Promise<T> {
    if (done < perTurn && lines.size === 0) {
      const value = work()
      charge(unitsOf(value), owner)
      return value
    }
    schedule()
    return await new Promise((resolve, reject) => {
      // Within the turn: were each only let go on, all who wait would go on before the first has told its units.
      wait(owner, () => {
        try {
          const value = work()
          resolve(value)
          return unitsOf(value)
        } catch (error) {
          reject(error)
          return 1
        }
      })
    })
  }

  /** There is one for each open stream. */
  class Own implements OwnTurns {
    readonly #owner: unknown

    constructor(owner: unknown) {
      this.#owner = owner
    }

    take(units: number) {
      return take(units, this.#owner)
    }

    run<T>(work: () => T, unitsOf: (done: T) => number) {
      return run(work, unitsOf, this.#owner)
    }
  }

  return { take: (units) => take(units, undefined), of: (owner) => new Own(owner) }
}

/** The lines by what their owners have had: with thousands of them, none may be looked for among all. */
class LineHeap {
  readonly #lines: Line[] = []

  add(line: Line): void {
    const lines = this.#lines
    let at = lines.push(line) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = lines[above]
      if (!parent || isBefore(parent, line)) break
      lines[at] = parent
      at = above
    }
    lines[at] = line
  }

  /** The first of those who have had least. */
  take(): Line | undefined {
    const lines = this.#lines
    const [first] = lines
    const last = lines.pop()
    if (!last || !first || lines.length === 0) return first
    let at = 0
    for (;;) {
      const left = at * 2 + 1
      const [one, other] = [lines[left], lines[left + 1]]
      if (!one) break
      const [child, place] = other && isBefore(other, one) ? [other, left + 1] : [one, left]
      if (isBefore(last, child)) break
      lines[at] = child
      at = place
    }
    lines[at] = last
    return first
  }
}

function isBefore(one: Line, other: Line): boolean {
  return one.had < other.had || (one.had === other.had && one.order < other.order)
}
