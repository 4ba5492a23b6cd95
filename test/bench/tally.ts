/** What arrived of one reply. */
export interface Tally {
  /** Frames that carried answer text; neighbouring deltas may have been merged. */
  events: number
  /** Length of the answer text that arrived in deltas. */
  characters: number
  /** Length of the answer as the terminal event repeats it. */
  completedCharacters: number
  ended: boolean
}

export function createTally(): Tally {
  return { events: 0, characters: 0, completedCharacters: -1, ended: false }
}

/** Reads the frame `text[at, end)` into the tally. */
export type Dialect = (text: string, at: number, end: number, tally: Tally) => void

/** Cuts an event stream into frames, wherever it was split. */
export function createFrameReader(dialect: Dialect, tally: Tally): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const text = rest + chunk
    let at = 0
    let end = text.indexOf('\n\n', Math.max(0, rest.length - 1))
    while (end !== -1) {
      dialect(text, at, end, tally)
      at = end + 2
      end = text.indexOf('\n\n', at)
    }
    rest = text.slice(at)
  }
}

/** The upstream's own dialect, as the passthrough hands it on. */
export const cozeDialect: Dialect = (text, at, end, tally) => {
  if (text.startsWith('event: conversation.message.delta\n', at)) {
    tally.events += 1
    tally.characters += stringLength(text, '"content":"', at, end)
  } else if (text.startsWith('event: conversation.message.completed\n', at)) {
    if (text.indexOf('"type":"answer"', at) < end && text.indexOf('"type":"answer"', at) !== -1)
      tally.completedCharacters = stringLength(text, '"content":"', at, end)
  } else if (text.startsWith('event: done\n', at)) tally.ended = true
  else if (!text.startsWith('event: conversation.chat.', at)) unexpected(text, at, end)
}

/** GraphQL over SSE, with the gateway's reply events. */
export const graphqlDialect: Dialect = (text, at, end, tally) => {
  const typename = text.indexOf('"__typename":"Reply', at)
  if (typename === -1 || typename > end) {
    if (text.startsWith(':', at) || text.startsWith('event: complete', at)) return
    unexpected(text, at, end)
  }
  const type = text.slice(typename + 19, text.indexOf('"', typename + 19))
  switch (type) {
    case 'Started':
      return
    case 'Delta': {
      const offset = text.indexOf('"offset":', typename) + 9
      // A gap, a doubled text or another order shows here.
      if (Number.parseInt(text.slice(offset, offset + 16), 10) !== tally.characters)
        unexpected(text, at, end)
      tally.events += 1
      tally.characters += stringLength(text, '"text":"', offset, end)
      return
    }
    case 'Completed':
      tally.completedCharacters = stringLength(text, '"text":"', typename, end)
      tally.ended = true
      return
    default:
      unexpected(text, at, end)
  }
}

/** The length of the string that follows `key`; the benchmark's texts hold nothing to escape. */
function stringLength(text: string, key: string, at: number, end: number): number {
  const from = text.indexOf(key, at) + key.length
  const to = text.indexOf('"', from)
  if (from < key.length || to === -1 || to > end) unexpected(text, at, end)
  return to - from
}

function unexpected(text: string, at: number, end: number): never {
  throw new Error(`unexpected frame: ${text.slice(at, Math.min(end, at + 400))}`)
}
