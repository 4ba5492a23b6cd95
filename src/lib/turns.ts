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
}

/** Owners whose share is remembered although nothing of theirs waits. */
const maxRemembered = 1_024

/**
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
      const line = poorest()
      const first = line?.waiting[line.next]
      if (line === undefined || first === undefined) break
      line.next += 1
      if (line.next === line.waiting.length) lines.delete(line.owner)
      level = had.get(line.owner) ?? level
      charge(first(), line.owner)
    }
    if (lines.size === 0) had.clear()
    else if (had.size > maxRemembered + lines.size) forgetIdle()
    if (done > 0) schedule()
  }

  function poorest(): Line | undefined {
    let found: Line | undefined
    let least = Number.POSITIVE_INFINITY
    for (const line of lines.values()) {
      const units = had.get(line.owner) ?? level
      if (units < least) {
        least = units
        found = line
      }
    }
    return found
  }

  function charge(units: number, owner: unknown): void {
    done += units
    had.set(owner, Math.max(had.get(owner) ?? level, level) + units)
  }

  function forgetIdle(): void {
    for (const owner of had.keys()) if (!lines.has(owner)) had.delete(owner)
  }

  function take(units: number, owner: unknown): Promise<void> | undefined {
    schedule()
    if (done < perTurn && lines.size === 0) {
      charge(units, owner)
      return undefined
    }
    return new Promise((go) =>
      wait(owner, () => {
        go()
        return units
      }),
    )
  }

  function wait(owner: unknown, waiting: Waiting): void {
    const line = lines.get(owner)
    if (line) line.waiting.push(waiting)
    else lines.set(owner, { owner, waiting: [waiting], next: 0 })
  }

  async function run<T>(work: () => T, unitsOf: (done: T) => number, owner: unknown): Promise<T> {
    schedule()
    if (done < perTurn && lines.size === 0) {
      const value = work()
      charge(unitsOf(value), owner)
      return value
    }
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

  function of(owner: unknown): OwnTurns {
    return {
      take: (units) => take(units, owner),
      run: (work, unitsOf) => run(work, unitsOf, owner),
    }
  }

  return { take: (units) => take(units, undefined), of }
}
