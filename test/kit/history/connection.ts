import type { End, Open, SeenEvent, Step } from './history.ts'

/** One connection of a reader, which writes down what comes. */
export interface Connection {
  readonly name: string
  /** What to resume from: the cursor of what came last, or the one that the connection was opened with. */
  readonly cursor: string | undefined
  see(event: SeenEvent): void
  end(how: End['how']): void
}

export type ConnectionRequest = Omit<Open, 'type' | 'connection'>

/** However events come, by sockets or by calls, this is what a history has of them. */
export function openConnection(history: Step[], request: ConnectionRequest): Connection {
  const connection = `${request.reader}#${history.length}`
  let cursor = request.after
  history.push({ type: 'open', connection, ...request })
  return {
    name: connection,
    get cursor() {
      return cursor
    },
    see(event) {
      history.push({ type: 'seen', connection, event })
      cursor = event.cursor
    },
    end: (how) => void history.push({ type: 'end', connection, how }),
  }
}
