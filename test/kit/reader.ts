import { isHighSurrogate } from '../../src/lib/surrogate.ts'
import {
  comparePositions,
  type Open,
  parseCursor,
  type Position,
  type SeenBody,
  type SeenEvent,
} from './history.ts'

/** A text of which everything before `from` is not known: the reader came in the middle. */
export interface KnownText {
  readonly from: number
  readonly text: string
  /** Of `text`: comparing it leaves long texts the ropes that they are, which share their pieces. */
  readonly digest: number
}

const nothing: KnownText = { from: 0, text: '', digest: 0 }

/** What a reader shows of one reply. */
export interface ReplyState {
  readonly status: 'UNSEEN' | 'RUNNING' | 'ACTION_REQUIRED' | 'COMPLETED' | 'FAILED' | 'CANCELLED'
  readonly answer: KnownText
  readonly reasoning: KnownText
  /** What the terminal event said, so that no two readers hear different ends. */
  readonly ending: string
}

export const unseen: ReplyState = {
  status: 'UNSEEN',
  answer: nothing,
  reasoning: nothing,
  ending: '',
}

const missed: ReplyState = {
  status: 'RUNNING',
  answer: { ...nothing, from: Infinity },
  reasoning: { ...nothing, from: Infinity },
  ending: '',
}

export interface Entry {
  readonly position: Position
  readonly event: SeenEvent
  readonly state: ReplyState
}

/** Follows one reader through its connections, and complains about what it alone can see. */
export interface Reader {
  /** In the order of cursors: what it has applied so far. */
  readonly timeline: readonly Entry[]
  open(request: Open, adopt: (replyId: string, at: Position) => ReplyState | undefined): void
  /** Undefined when the cursor cannot be read. */
  see(event: SeenEvent, correctable: boolean): Entry | undefined
  /** Where the reader's present pass began; undefined: at the start of its reply, or not known. */
  readonly from: Position | undefined
  readonly request: Open | undefined
  last(replyId: string): Entry | undefined
}

/** Takes a rule of faults.md and what broke it. */
export type Complain = (rule: number, problem: string) => void

export function createReader(name: string, complain: Complain): Reader {
  let timeline: Entry[] = []
  let latest = new Map<string, Entry>()
  let known: (event: SeenEvent) => ReplyState = () => unseen
  let request: Open | undefined
  let from: Position | undefined
  /** The cursor that the next one must exceed. */
  let floor: Position | undefined

  function keep(entries: Entry[]) {
    timeline = entries
    latest = new Map(entries.map((entry) => [entry.event.replyId, entry]))
  }

  return {
    get timeline() {
      return timeline
    },
    get from() {
      return from
    },
    get request() {
      return request
    },
    last: (replyId) => latest.get(replyId),
    open(next, adopt) {
      request = next
      const { after, replyId } = next
      const position = after === undefined ? undefined : parseCursor(after)
      floor = position
      from = position
      if (after !== undefined && timeline.some((entry) => entry.event.cursor === after)) {
        const at = position
        keep(timeline.filter((entry) => at && comparePositions(entry.position, at) <= 0))
        return
      }
      keep([])
      known = (event) => {
        if (event.body.type === 'started' || (!position && replyId !== undefined)) return unseen
        return (position && adopt(event.replyId, position)) ?? missed
      }
    },
    see(event, correctable) {
      const where = `${name}: ${event.cursor}`
      const position = parseCursor(event.cursor)
      if (position === undefined) {
        complain(1, `${where} is no cursor`)
        return undefined
      }
      if (floor && comparePositions(position, floor) <= 0) {
        complain(1, `${where} does not come after ${floor.epoch}.${floor.seq}`)
      }
      floor = position
      if (request?.replyId !== undefined && request.replyId !== event.replyId) {
        complain(1, `${where} is of ${event.replyId}, which was not asked for`)
      }
      const before = latest.get(event.replyId)?.state ?? known(event)
      const state = apply(before, event.body, correctable, (rule, problem) =>
        complain(rule, `${where} of ${event.replyId} ${problem}`),
      )
      const entry = { position, event, state }
      timeline.push(entry)
      latest.set(event.replyId, entry)
      return entry
    },
  }
}

function apply(
  before: ReplyState,
  body: SeenBody,
  correctable: boolean,
  complain: Complain,
): ReplyState {
  if (isEnded(before)) complain(3, `comes after the end: ${body.type}`)
  switch (body.type) {
    case 'started':
      if (before.status === 'RUNNING') complain(1, 'has started twice')
      return { ...unseen, status: 'RUNNING' }
    case 'delta': {
      if (before.status === 'UNSEEN') complain(1, 'has a delta before its start')
      const state = { ...before, status: 'RUNNING' as const }
      return body.kind === 'ANSWER'
        ? { ...state, answer: splice(before.answer, body, correctable, complain) }
        : { ...state, reasoning: splice(before.reasoning, body, correctable, complain) }
    }
    case 'action-required':
      if (before.status !== 'RUNNING') complain(1, `asks while it is ${before.status}`)
      return { ...before, status: 'ACTION_REQUIRED' }
    case 'completed':
      if (!agreeOnText(before.answer, append(nothing, body.text))) {
        complain(4, 'completed with another text than its deltas make')
      }
      return { ...before, status: 'COMPLETED', ending: body.text }
    case 'failed':
      return { ...before, status: 'FAILED', ending: body.code }
    case 'cancelled':
      return { ...before, status: 'CANCELLED' }
  }
}

function splice(
  known: KnownText,
  delta: { readonly offset: number; readonly text: string },
  correctable: boolean,
  complain: Complain,
): KnownText {
  const { offset, text } = delta
  if (!text.isWellFormed()) complain(4, 'splits a surrogate pair')
  if (offset < known.from) return append({ ...nothing, from: offset }, text)
  const end = known.from + known.text.length
  if (offset > end) complain(1, `leaves a gap: offset ${offset}, known length ${end}`)
  if (offset < end && !correctable) complain(4, `goes back to ${offset} of ${end} without a cause`)
  if (offset >= end) return append(known, text)
  const kept = known.text.slice(0, offset - known.from)
  if (isHighSurrogate(kept.charCodeAt(kept.length - 1))) {
    complain(4, `starts inside a surrogate pair: offset ${offset}`)
  }
  return append(append({ ...nothing, from: known.from }, kept), text)
}

function append(known: KnownText, text: string): KnownText {
  let { digest } = known
  for (let at = 0; at < text.length; at += 1) {
    digest = (Math.imul(digest ^ text.charCodeAt(at), 0x01000193) + 0x9e3779b9) | 0
  }
  return { from: known.from, text: known.text + text, digest }
}

export function isEnded(state: ReplyState): boolean {
  const { status } = state
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED'
}

/** Do both show the same, as far as both know it? `only`: of this kind of text, and of the rest. */
export function agree(left: ReplyState, right: ReplyState, only?: 'ANSWER' | 'REASONING'): boolean {
  return (
    left.status === right.status &&
    left.ending === right.ending &&
    (only === 'REASONING' || agreeOnText(left.answer, right.answer)) &&
    (only === 'ANSWER' || agreeOnText(left.reasoning, right.reasoning))
  )
}

function agreeOnText(left: KnownText, right: KnownText): boolean {
  if (left.from > right.from) return agreeOnText(right, left)
  if (right.from === Infinity) return true
  if (left.from === right.from) {
    return left.text.length === right.text.length && left.digest === right.digest
  }
  return (
    left.from + left.text.length === right.from + right.text.length &&
    left.text.endsWith(right.text)
  )
}
