import { isPlain } from './plain.ts'
import type { Turns } from './turns.ts'
import { sliceEnd } from './surrogate.ts'

/** UTF-16 code units of a piece. */
const pieceLength = 65_536

/** A JSON text in pieces, for a body that is sent as it is read. */
export interface JsonText {
  readonly pieces: readonly string[]
  readonly bytes: number
}

interface OpenValue {
  /** Undefined: it is a list. */
  readonly names: readonly string[] | undefined
  readonly values: readonly unknown[]
  at: number
}

/**
 * The text that `JSON.stringify` makes of a value, made in turns with other work. Undefined: it would have more than `maxBytes`;
 * not much more than that is made of it.
 */
export async function encodeJson(
  value: unknown,
  { maxBytes, turns }: { readonly maxBytes: number; readonly turns: Turns },
): Promise<JsonText | undefined> {
  const pieces: string[] = []
  let bytes = 0
  let text = ''
  for (const part of jsonParts(value)) {
    text += part
    if (text.length < pieceLength) continue
    if (!take()) return undefined
    const turn = turns.take(pieceLength)
    if (turn) await turn
  }
  return take() ? { pieces, bytes } : undefined

  function take(): boolean {
    bytes += Buffer.byteLength(text)
    pieces.push(text)
    text = ''
    return bytes <= maxBytes
  }
}

/** Parts of at most a piece's length before escapes. A stack of its own: a generator within a generator costs its depth. */
function* jsonParts(root: unknown): Generator<string, void, undefined> {
  const open: OpenValue[] = []
  yield* begin(root)
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const { names, values, at } = top
    if (at === values.length) {
      open.pop()
      yield names ? '}' : ']'
      continue
    }
    top.at += 1
    const name = names?.[at]
    const comma = at === 0 ? '' : ','
    const key = name === undefined ? '' : `${JSON.stringify(name)}:`
    const value = values[at]
    if (typeof value === 'string' && value.length <= pieceLength) {
      yield `${comma}${key}${JSON.stringify(value)}`
    } else {
      yield comma + key
      yield* begin(value)
    }
  }

  function* begin(value: unknown): Generator<string, void, undefined> {
    if (typeof value === 'string') {
      yield '"'
      for (let from = 0; from < value.length;) {
        const to = sliceEnd(value, from, pieceLength)
        yield JSON.stringify(value.slice(from, to)).slice(1, -1)
        from = to
      }
      yield '"'
    } else if (Array.isArray(value)) {
      open.push({ names: undefined, values: value, at: 0 })
      yield '['
    } else if (isPlain(value) && !('toJSON' in value)) {
      const members = Object.entries(value).filter(([, member]) => member !== undefined)
      const names = members.map(([name]) => name)
      open.push({ names, values: members.map(([, member]) => member), at: 0 })
      yield '{'
    } else yield JSON.stringify(value) ?? 'null'
  }
}
