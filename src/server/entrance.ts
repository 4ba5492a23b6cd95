import type { Clock } from '../lib/clock.ts'

/** The requests that are begun in one turn of the event loop, about 6 ms of work. */
const perTurn = 32
/** The requests of one sender among them. */
const perSender = 2

/** Lets requests begin. The requests of a sender begin in their order. */
export interface Entrance {
  /**
   * Undefined: begin now. A promise: begin when it resolves, in one of the next turns of the event loop. It never resolves for
   * a request that is gone by then. `isGone`: whether nobody waits for the response any more.
   */
  enter(sender: string, isGone?: () => boolean): Promise<void> | undefined
}

interface Waiting {
  readonly begin: () => void
  readonly isGone: (() => boolean) | undefined
}

/**
 * Begins few requests of one sender in one turn of the event loop, however many have come. A message of another sender takes
 * several turns, as it waits for the store and for the platform, and would wait for all these requests in each of them.
 *
 * While only requests of those wait who have had their share, the next ones begin after a pause as long as the turn before it
 * has taken. So a flood has half of the processor: on a machine with one core, the thread of the store needs the other half.
 * A crowd of senders is no flood, and is not held up.
 */
export function createEntrance(
  clock: Pick<Clock, 'monotonic' | 'timer'>,
  nextTurn: (run: () => void) => void = (run) => void setImmediate(run),
): Entrance {
  /** The requests that wait, by their sender. The first sender is the next. */
  const lines = new Map<string, Waiting[]>()
  /** The number of requests of each sender that began in this turn, and the number of all. */
  const begun = new Map<string, number>()
  let inAll = 0
  let startedAt = 0

  function count(sender: string): void {
    if (inAll === 0) {
      startedAt = clock.monotonic()
      nextTurn(end)
    }
    begun.set(sender, (begun.get(sender) ?? 0) + 1)
    inAll += 1
  }

  function end(): void {
    const tookMs = clock.monotonic() - startedAt
    const isFlood = lines.size > 0 && inAll < perTurn
    if (isFlood && tookMs > 0) clock.timer(tookMs, turn)
    else turn()
  }

  function turn(): void {
    begun.clear()
    inAll = 0
    for (const [sender, line] of lines.entries().take(perTurn).toArray()) {
      if (inAll === perTurn) break
      const next = takeFrom(line, Math.min(perSender, perTurn - inAll))
      lines.delete(sender)
      // Behind all others.
      if (line.length > 0) lines.set(sender, line)
      for (const { begin } of next) {
        count(sender)
        begin()
      }
    }
    // All that had their turn were gone.
    if (inAll === 0 && lines.size > 0) nextTurn(turn)
  }

  return {
    enter(sender, isGone) {
      const line = lines.get(sender)
      if (!line && inAll < perTurn && (begun.get(sender) ?? 0) < perSender) {
        count(sender)
        return undefined
      }
      return new Promise((begin) => {
        const waiting = { begin, isGone }
        if (line) line.push(waiting)
        else lines.set(sender, [waiting])
      })
    },
  }
}

/** The first so many of a line, without those before them that are gone. */
function takeFrom(line: Waiting[], count: number): readonly Waiting[] {
  const taken: Waiting[] = []
  let at = 0
  for (; at < line.length && taken.length < count; at += 1) {
    const waiting = line[at]
    if (waiting && waiting.isGone?.() !== true) taken.push(waiting)
  }
  line.splice(0, at)
  return taken
}
