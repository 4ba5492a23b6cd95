/** Lets long pieces of work share the event loop: each goes on in its turn, and other work comes between. */
export interface Turns {
  /**
   * Asks to do so many units of work now. Undefined: go on. A promise: go on when it resolves, in one of the next turns of
   * the event loop; those who ask are served in their order.
   */
  take(units: number): Promise<void> | undefined
}

interface Waiting {
  readonly units: number
  go(): void
}

/**
 * @param perTurn units in one turn of the event loop; a piece that has more than that gets a turn of its own
 * @param nextTurn calls back in the next turn
 */
export function createTurns(
  perTurn: number,
  nextTurn: (run: () => void) => void = (run) => void setImmediate(run),
): Turns {
  let done = 0
  let isScheduled = false
  let waiting: Waiting[] = []
  /** Those before it in `waiting` have gone on: taking the first one away would copy all others. */
  let next = 0

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    nextTurn(turn)
  }

  function turn(): void {
    isScheduled = false
    done = 0
    for (let first = waiting[next]; first && done < perTurn; first = waiting[next]) {
      next += 1
      done += first.units
      first.go()
    }
    if (next === waiting.length) {
      waiting = []
      next = 0
    } else if (next > waiting.length / 2) {
      waiting = waiting.slice(next)
      next = 0
    }
    if (done > 0) schedule()
  }

  return {
    take(units) {
      schedule()
      if (done < perTurn && waiting.length === 0) {
        done += units
        return undefined
      }
      return new Promise((go) => waiting.push({ units, go }))
    },
  }
}
