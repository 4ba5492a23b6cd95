import { Buffer } from 'node:buffer'
import { type CozeDelta, type CozeEvent, decodeFrame } from './events.ts'
import { tryParseJson } from './json.ts'

/**
 * The frame of a piece of text, as the pattern of those that follow: the frames of one message differ in nothing but their
 * `content`. What matches is read without the parsers of event streams and of JSON, in about a tenth of their time.
 */
export interface RepeatedFrame {
  /** What every frame of the pattern says, but for its text. */
  readonly delta: CozeDelta
  /** Reads the frame that begins at `from`, in a text that may end anywhere. False: it is none of the pattern. */
  match(text: string, from: number): boolean
  /** The end of the frame that matched last, the text that it says, and the bytes of that text in UTF-8. */
  readonly end: number
  readonly text: string
  readonly bytes: number
}

/**
 * The pattern of a frame that said `delta`; undefined: its text cannot be told from the rest of it.
 *
 * A string of JSON may be exchanged for any other without changing what the rest says. So it is enough that the frame says
 * another text, and nothing else, with another string in the place of its last `content`.
 *
 * @param frame as it came, between two blank lines
 * @param data what the parser of event streams read from it
 */
export function findRepeatedFrame(
  frame: string,
  data: string,
  delta: CozeDelta,
): RepeatedFrame | undefined {
  const dataAt = frame.length - data.length - frameEnd.length
  const isLastLine = frame === frame.slice(0, Math.max(0, dataAt)) + data + frameEnd
  if (!isLastLine || data.includes('\n') || !beforeData.test(frame.slice(0, dataAt)))
    return undefined
  const fieldAt = data.lastIndexOf(field)
  if (fieldAt === -1) return undefined
  const start = dataAt + fieldAt + field.length
  stringEnd.lastIndex = start
  if (!stringEnd.test(frame)) return undefined
  const before = frame.slice(0, start)
  const after = frame.slice(stringEnd.lastIndex)
  const probed = before.slice(dataAt) + probe + after.slice(0, -frameEnd.length)
  return saysProbe(probed, delta) ? createRepeatedFrame(before, after, delta) : undefined
}

const field = '"content":"'
const frameEnd = '\n\n'
const beforeData = /(?:^|\n)data: ?$/
/** What is left of a string of JSON, up to its closing quote. */
const stringEnd = /[^"\\]*(?:\\.[^"\\]*)*(?=")/y
const probe = 'another text'

function saysProbe(data: string, delta: CozeDelta): boolean {
  const events: CozeEvent[] = []
  try {
    decodeFrame('conversation.message.delta', data, { accepted: 'yes' }, events)
  } catch {
    return false
  }
  const [said] = events
  return (
    events.length === 1 &&
    said?.type === 'delta' &&
    said.text === probe &&
    isSameMessage(said, delta)
  )
}

/** Whether two pieces of text go on from each other. */
export function isSameMessage(one: CozeDelta, other: CozeDelta): boolean {
  return (
    one.messageId === other.messageId &&
    one.kind === other.kind &&
    one.contentType === other.contentType &&
    one.chatId === other.chatId &&
    one.conversationId === other.conversationId
  )
}

const quote = 0x22
const backslash = 0x5c
const space = 0x20

function createRepeatedFrame(before: string, after: string, delta: CozeDelta): RepeatedFrame {
  let end = 0
  let said = ''
  let bytes = 0

  function match(text: string, from: number): boolean {
    const start = from + before.length
    if (text.slice(from, start) !== before) return false
    let hasEscapes = false
    let at = start
    bytes = 0
    for (; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code === quote) break
      // No string of JSON: the parsers say so.
      if (code < space) return false
      if (code === backslash) {
        hasEscapes = true
        at += 1
      }
      bytes += bytesOf(code)
    }
    end = at + after.length
    if (text.slice(at, end) !== after) return false
    if (!hasEscapes) {
      said = text.slice(start, at)
      return true
    }
    const parsed = tryParseJson(text.slice(start - 1, at + 1))
    if (typeof parsed !== 'string') return false
    said = parsed
    bytes = Buffer.byteLength(said)
    return true
  }

  return {
    delta,
    match,
    get end() {
      return end
    },
    get text() {
      return said
    },
    get bytes() {
      return bytes
    },
  }
}

/** The bytes that a code unit adds to its text in UTF-8; two for each half of a character of two units. */
function bytesOf(code: number): number {
  if (code < 0x80) return 1
  return code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3
}
