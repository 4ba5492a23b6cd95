/** Lets work in now, or in one of the next turns of the event loop. */
export type Turnstile = (enter: () => void) => void

/**
 * Lets so many in at once; others wait for the next turns of the event loop, in their order, so that no turn gets long
 * however many come at once (F37).
 */
export function createTurnstile(perTurn: number): Turnstile {
  let waiting: (() => void)[] = []
  let left = perTurn
  let isScheduled = false

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(turn)
  }

  function turn(): void {
    isScheduled = false
    left = perTurn
    const entering = waiting.slice(0, perTurn)
    waiting = waiting.slice(perTurn)
    left -= entering.length
    if (left < perTurn) schedule()
    for (const enter of entering) enter()
  }

  return (enter) => {
    schedule()
    if (left === 0) {
      waiting.push(enter)
      return
    }
    left -= 1
    enter()
  }
}
