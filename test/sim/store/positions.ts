import type {
  ConversationId,
  EventPlace,
  Position,
  ReplyId,
  SessionId,
  TextPlace,
} from '../../../src/domain.ts'
import { isHighSurrogate, sliceEnd } from '../../../src/lib/surrogate.ts'
import { type EventFilter, type LogItem, maxDeltaLength } from '../../../src/store/log.ts'
import { isOpen, logOf, type LogRow, type ReplyRow, type State } from './state.ts'
import { resume, type RevisedText } from './texts.ts'

/** Whether an event is still known at a place: a reader that stands there goes on. */
export function isKnown(
  { events, stubs, trimmedTo }: LogRow,
  place: EventPlace,
  state: State,
): boolean {
  if (place.seq === 0) return place.check === ''
  const isIt = ({ seq, check }: EventPlace) =>
    seq === place.seq && (check === place.check || state.flaw === 'ignores-checks')
  return events.some(isIt) || stubs.some(isIt) || isIt(trimmedTo)
}

export function matches(
  filter: EventFilter,
  of: { readonly replyId: ReplyId; readonly conversationId: ConversationId },
): boolean {
  return (
    (filter.replyId === undefined || filter.replyId === of.replyId) &&
    (filter.conversationId === undefined || filter.conversationId === of.conversationId)
  )
}

/** The replies that run at an event: started at or before it, and not ended at or before it. */
export function runningAt(state: State, sessionId: SessionId, seq: number): readonly ReplyRow[] {
  return [...state.replies.values()]
    .filter((row) => row.sessionId === sessionId)
    .filter(({ startEvent }) => startEvent !== undefined && startEvent.seq <= seq)
    .filter((row) => isOpen(row) || (row.lastEvent?.seq ?? 0) > seq)
    .toSorted((a, b) => (a.startEvent?.seq ?? 0) - (b.startEvent?.seq ?? 0))
}

/** All that comes after a position, in order. */
export function* itemsAfter(
  state: State,
  sessionId: SessionId,
  after: Position,
  filter: EventFilter,
  textOf: (row: ReplyRow) => RevisedText,
): Generator<LogItem> {
  let at = after
  for (;;) {
    for (const row of runningAt(state, sessionId, at.seq)) {
      if (!matches(filter, { replyId: row.id, conversationId: row.conversationId })) continue
      for (const item of textItems(state, row, textOf(row), at)) {
        at = item.position
        yield item
      }
    }
    const { seq: passed } = at
    const event = logOf(state, sessionId).events.find(
      (each) => each.seq > passed && matches(filter, each),
    )
    if (event === undefined) return
    const { seq, check } = event
    const running = new Set(runningAt(state, sessionId, seq).map(({ id }) => id))
    at = { seq, check, texts: at.texts.filter(({ replyId }) => running.has(replyId)) }
    yield { event, position: at }
  }
}

/** The first half of a character is shown once the second one has come. */
export function shownOf(row: ReplyRow, text: RevisedText): RevisedText {
  const wholeOf = (track: string) =>
    isOpen(row) && isHighSurrogate(track.charCodeAt(track.length - 1)) ? track.slice(0, -1) : track
  return { ...text, answer: wholeOf(text.answer), reasoning: wholeOf(text.reasoning) }
}

/** What is new of one reply's text: reasoning before answer. */
function* textItems(
  state: State,
  row: ReplyRow,
  text: RevisedText,
  after: Position,
): Generator<LogItem> {
  const held = after.texts.find(({ replyId }) => replyId === row.id)
  const from = resume(text, held, state.flaw)
  const takesBack = held !== undefined && from.answer < held.answer
  const tellsReasoning =
    from.reasoning < text.reasoning.length ||
    (held !== undefined && from.reasoning < held.reasoning)
  let position = after
  function* pieces(kind: 'ANSWER' | 'REASONING', isTakenBack: boolean): Generator<LogItem> {
    const track = kind === 'ANSWER' ? 'answer' : 'reasoning'
    const whole = text[track]
    let offset = from[track]
    for (let isFirst = isTakenBack; isFirst || offset < whole.length; isFirst = false) {
      const end = sliceEnd(whole, offset, maxDeltaLength)
      const place = { ...placeOf(position, row, text, from), [track]: end }
      position = withText(position, place)
      const { id: replyId, conversationId } = row
      const slice = whole.slice(offset, end)
      yield {
        event: { replyId, conversationId, type: 'delta', kind, offset, text: slice },
        position,
      }
      offset = end
    }
  }

  // A reader that is cut off between the two tracks must still be told that its answer is taken back.
  const isSplit = takesBack && tellsReasoning
  if (isSplit) {
    const { id: replyId, conversationId } = row
    position = withText(position, { ...held, answer: from.answer })
    const head = { replyId, conversationId, type: 'delta', kind: 'ANSWER' } as const
    yield { event: { ...head, offset: from.answer, text: '' }, position }
  }
  yield* pieces('REASONING', held !== undefined && from.reasoning < held.reasoning)
  yield* pieces('ANSWER', takesBack && !isSplit)
}

/** Where a reader stands in a text of which it is being told. */
function placeOf(
  { texts }: Position,
  { id: replyId }: ReplyRow,
  { revisions }: RevisedText,
  from: Pick<TextPlace, 'answer' | 'reasoning'>,
): TextPlace {
  const revision = revisions.at(-1)?.name ?? ''
  const held = texts.find((place) => place.replyId === replyId && place.revision === revision)
  return held ?? { replyId, revision, answer: from.answer, reasoning: from.reasoning }
}

export function withText(position: Position, place: TextPlace): Position {
  const { seq, check, texts } = position
  const isHeld = texts.some(({ replyId }) => replyId === place.replyId)
  const others = texts.map((each) => (each.replyId === place.replyId ? place : each))
  return { seq, check, texts: isHeld ? others : [...texts, place] }
}
