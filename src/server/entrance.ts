/** The requests that are begun in one turn of the event loop, about 6 ms of work. */
const perTurn = 32
/** The requests of one sender among them. */
const perSender = 2

/** Lets requests begin. The requests of a sender begin in their order. */
export interface Entrance {
  /** Undefined: begin now. A promise: begin when it resolves, in one of the next turns of the event loop. */
  enter(sender: string): Promise<void> | undefined
}

/**
 * Begins few requests of one sender in one turn of the event loop, however many have come. A message of another sender takes
 * several turns, as it waits for the store and for the platform, and would wait for all these requests in each of them.
 */
export function createEntrance(
  nextTurn: (run: () => void) => void = (run) => void setImmediate(run),
): Entrance {
  /** The requests that wait, by their sender. The first sender is the next. */
  const lines = new Map<string, (() => void)[]>()
  /** The number of requests of each sender that began in this turn, and the number of all. */
  const begun = new Map<string, number>()
  let inAll = 0

  function count(sender: string, more: number): void {
    if (inAll === 0) nextTurn(turn)
    begun.set(sender, (begun.get(sender) ?? 0) + more)
    inAll += more
  }

  function turn(): void {
    begun.clear()
    inAll = 0
    for (const [sender, line] of lines.entries().take(perTurn).toArray()) {
      const next = line.splice(0, Math.min(perSender, perTurn - inAll))
      if (next.length === 0) break
      lines.delete(sender)
      // Behind all others.
      if (line.length > 0) lines.set(sender, line)
      count(sender, next.length)
      for (const begin of next) begin()
    }
  }

  return {
    enter(sender) {
      const line = lines.get(sender)
      if (!line && inAll < perTurn && (begun.get(sender) ?? 0) < perSender) {
        count(sender, 1)
        return undefined
      }
      return new Promise((begin) => {
        if (line) line.push(begin)
        else lines.set(sender, [begin])
      })
    },
  }
}
