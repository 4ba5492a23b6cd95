import {
  type CursorPlace,
  eventName,
  type Open,
  parseCursor,
  type SeenBody,
  type SeenEvent,
  type TextOffsets,
  type Complain,
} from './history.ts'
import { agreeOnText, append, type KnownText, nothing, splice, unknown } from './known-text.ts'

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

/** Of a reply that the reader came to in the middle. */
export const missed: ReplyState = {
  status: 'RUNNING',
  answer: unknown,
  reasoning: unknown,
  ending: '',
}

export interface Entry {
  readonly place: CursorPlace
  readonly event: SeenEvent
  readonly state: ReplyState
  /** How far the text was read that a delta is of. */
  readonly offsets: TextOffsets | undefined
}

/** Follows one reader through its connections, and complains about what it alone can see. */
export interface Reader {
  /** In the order of cursors: what it has applied so far. */
  readonly timeline: readonly Entry[]
  open(request: Open, adopt: (replyId: string, at: CursorPlace) => ReplyState | undefined): void
  /** Undefined when the cursor cannot be read. */
  see(event: SeenEvent, correctable: boolean): Entry | undefined
  /** Where the reader's present pass began; undefined: at the start of its reply, or not known. */
  readonly from: CursorPlace | undefined
  readonly request: Open | undefined
  last(replyId: string): Entry | undefined
}

/** @param isGone tells by its name in cursors whether a reply was deleted: its end is told to nobody. */
export function createReader(
  name: string,
  complain: Complain,
  isGone: (name: string) => boolean = () => false,
): Reader {
  let timeline: Entry[] = []
  let latest = new Map<string, Entry>()
  let known: (event: SeenEvent) => ReplyState = () => unseen
  let request: Open | undefined
  let from: CursorPlace | undefined
  /** The cursor that the next one must come after. */
  let floor: CursorPlace | undefined
  /** Given out in this pass. */
  let given = new Set<string>()

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
      const place = after === undefined ? undefined : parseCursor(after)
      floor = place
      from = place
      given = new Set(after === undefined ? [] : [after])
      const seenAt = timeline.findLastIndex(({ event }) => event.cursor === after)
      if (seenAt >= 0) return keep(timeline.slice(0, seenAt + 1))
      keep([])
      known = (event) => {
        if (event.body.type === 'started' || (!place && replyId !== undefined)) return unseen
        return (place && adopt(event.replyId, place)) ?? missed
      }
    },
    see(event, correctable) {
      const where = `${name}: ${event.cursor}`
      const place = parseCursor(event.cursor)
      if (place === undefined) {
        complain(1, `${where} is no cursor`)
        return undefined
      }
      const { replyId, body } = event
      const about = (rule: number, problem: string) =>
        complain(rule, `${where} of ${replyId} ${problem}`)
      // What is taken back leads to where its reader has been, if nothing else has come since.
      const isTakenBack = body.type === 'delta' && body.text === ''
      const isRepeated = given.has(event.cursor) && !isTakenBack
      if (isRepeated || (floor && !isAfter(place, floor, body))) {
        complain(1, `${where} does not come after ${floor && eventName(floor)}`)
      }
      given.add(event.cursor)
      const offsets = readTexts(floor, place, body, isGone, about)
      floor = place
      if (request?.replyId !== undefined && request.replyId !== replyId) {
        complain(1, `${where} is of ${replyId}, which was not asked for`)
      }
      const before = latest.get(replyId)?.state ?? known(event)
      const state = apply(before, body, correctable, about)
      if (offsets !== undefined) checkOffsets(state, offsets, about)
      const entry = { place, event, state, offsets }
      timeline.push(entry)
      latest.set(replyId, entry)
      return entry
    },
  }
}

/** A delta may stand at the event that its reader has seen last, all others further on. */
function isAfter(place: CursorPlace, floor: CursorPlace, { type }: SeenBody): boolean {
  return place.seq > floor.seq || (type === 'delta' && isAtOneEvent(place, floor))
}

function isAtOneEvent(left: CursorPlace, right: CursorPlace): boolean {
  return left.seq === right.seq && left.check === right.check
}

/**
 * What a cursor says of texts follows from the one before: a delta moves the place in its own text, other events forget the
 * texts of replies that ended. Answers the place in the text of the delta.
 */
function readTexts(
  floor: CursorPlace | undefined,
  place: CursorPlace,
  body: SeenBody,
  isGone: (name: string) => boolean,
  complain: Complain,
): TextOffsets | undefined {
  const { texts } = place
  const before = new Map(floor?.texts.map((text) => [text.name, text]))
  const moved = texts.filter((text) => !isSame(text, before.get(text.name)))
  if (body.type !== 'delta') {
    if (floor && moved.length > 0) complain(1, 'moves in a text, and is no delta')
    return undefined
  }
  // Where the pass began is not known: of several texts, any may be the one.
  const [own, other] = moved
  if (floor === undefined && other !== undefined) return undefined
  if (own === undefined || other !== undefined) {
    complain(1, 'does not move in exactly one text')
    return undefined
  }
  const isKept = ({ name }: TextOffsets) => isGone(name) || texts.some((text) => text.name === name)
  if (floor && isAtOneEvent(place, floor) && !floor.texts.every(isKept)) {
    complain(1, 'forgets how far a text was read whose reply has not ended')
  }
  const kind = body.kind === 'ANSWER' ? 'answer' : 'reasoning'
  const old = before.get(own.name)
  if (own[kind] !== body.offset + body.text.length) {
    complain(1, `ends at ${body.offset + body.text.length}, its cursor is at ${own[kind]}`)
  }
  if (old?.revision === own.revision && body.offset < old[kind] && body.text !== '') {
    complain(4, `tells again from ${body.offset} what was read up to ${old[kind]}`)
  }
  return own
}

function isSame(left: TextOffsets, right: TextOffsets | undefined): boolean {
  return (
    left.revision === right?.revision &&
    left.answer === right.answer &&
    left.reasoning === right.reasoning
  )
}

/** A reader shows exactly as much as its cursor says, or the next connection leaves a gap, or doubles text. */
function checkOffsets(state: ReplyState, offsets: TextOffsets, complain: Complain): void {
  for (const track of ['answer', 'reasoning'] as const) {
    const { from, text } = state[track]
    if (from === Infinity || from + text.length === offsets[track]) continue
    complain(4, `shows ${from + text.length} of the ${track}, its cursor says ${offsets[track]}`)
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
      if (before.status !== 'UNSEEN') complain(1, 'has started twice')
      return { ...unseen, status: 'RUNNING' }
    case 'delta': {
      if (before.status === 'UNSEEN') complain(1, 'has a delta before its start')
      const state = { ...before, status: 'RUNNING' as const }
      return body.kind === 'ANSWER'
        ? { ...state, answer: splice(before.answer, body, correctable, complain) }
        : { ...state, reasoning: splice(before.reasoning, body, correctable, complain) }
    }
    case 'action-required':
      if (before.status === 'UNSEEN') complain(1, 'asks before its start')
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

export function isEnded(state: ReplyState): boolean {
  const { status } = state
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED'
}

/** Do both show the same, as far as both know it? */
export function agree(left: ReplyState, right: ReplyState): boolean {
  return (
    left.status === right.status &&
    left.ending === right.ending &&
    agreeOnText(left.answer, right.answer) &&
    agreeOnText(left.reasoning, right.reasoning)
  )
}
