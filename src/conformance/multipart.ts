import { type GraphError, type Observation, observePayload, type Payload } from './observation.ts'

interface Part {
  readonly payload?: Payload | null
  readonly errors?: readonly GraphError[]
}

/** Text of a multipart response in, observations out. A part shows when the delimiter behind it has come. */
export function createPartParser(boundary: string): (text: string) => readonly Observation[] {
  const delimiter = `\r\n--${boundary}`
  let rest = ''
  return (text) => {
    const pieces = (rest + text).split(delimiter)
    rest = pieces.pop() ?? ''
    const seen = pieces.flatMap(observePart)
    if (!rest.startsWith('--\r\n')) return seen
    rest = ''
    return [...seen, { kind: 'complete' }]
  }
}

function observePart(piece: string): readonly Observation[] {
  const at = piece.indexOf('\r\n\r\n')
  if (at === -1) return []
  const part: Part = JSON.parse(piece.slice(at))
  if (part.errors !== undefined) return [{ kind: 'errors', errors: part.errors }]
  return [part.payload === undefined ? { kind: 'alive' } : observePayload(part.payload)]
}
