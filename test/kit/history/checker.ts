import { replyCodes, requestCodes, streamCodes, unionCodes } from '../schema/codes.ts'
import { gatherFacts } from './facts.ts'
import {
  type CursorPlace,
  type End,
  eventName,
  type History,
  isTerminal,
  type Open,
  parseCursor,
  type Refused,
  type Rest,
  type Seen,
  type SeenEvent,
  type TextOffsets,
  type Truth,
} from './history.ts'
import { agreeOnText, append, digestsOf, type KnownText, nothing } from './known-text.ts'
import {
  agree,
  createReader,
  type Entry,
  isEnded,
  missed,
  type Reader,
  type ReplyState,
  unseen,
} from './reader.ts'
import { checkTurns } from './turns.ts'
import { checkUpstream } from './upstream.ts'
import { checkWords } from './words.ts'

const documented = { request: requestCodes, union: unionCodes, stream: streamCodes }

export interface CheckOptions {
  /** What the words look like by which texts tell whose they are. */
  readonly wordForm?: RegExp
}

/**
 * Checks a history against the rules of docs/threats-and-faults.md#the-checker. Returns what is wrong, each starting
 * with the number of its rule; nothing when all is well.
 *
 * Give a `truth` for every accepted reply: without it only the readers are compared.
 */
export function check(history: History, { wordForm }: CheckOptions = {}): readonly string[] {
  const problems: string[] = []
  const complain = (rule: number, problem: string) => void problems.push(`${rule}: ${problem}`)
  const facts = gatherFacts(history)
  const { owners, conversations, deleted, isCorrectable } = facts
  const truths = new Map<string, readonly Entry[]>()
  /** Per reply: the event of its end. */
  const ended = new Map<string, string>()
  /** Which reply a name in cursors is of. */
  const named = new Map<string, string>()
  const readers = new Map<string, Reader>()
  const connections = new Map<string, { readonly as: string; readonly reader: Reader }>()
  /** Per session and event: what the first reader to meet it made of it. */
  const shown = new Map<string, { readonly entry: Entry; readonly by: string }>()
  /** Per place in a text: what the first reader to come there shows. */
  const told = new Map<string, { readonly text: KnownText; readonly by: string }>()
  /** Per reply: its text in its last revision. */
  const finals = new Map<string, FinalText>()

  for (const step of history) if (step.type === 'truth') readTruth(step)
  for (const step of history) {
    if (step.type === 'open') open(step)
    else if (step.type === 'seen') see(step)
    else if (step.type === 'rest') rest(step)
    else if (step.type === 'end') end(step)
    else if (step.type === 'refused') checkCode(step)
  }
  for (const { as, reader } of connections.values()) checkReach(as, reader)
  checkTerminals()
  checkTurns(facts, complain)
  checkUpstream(history, facts, complain)
  if (wordForm) checkWords(history, wordForm, facts, complain)
  return problems

  function isGone(name: string): boolean {
    return deleted.has(named.get(name) ?? '')
  }

  function readTruth(step: Truth) {
    const name = `log of ${step.replyId}`
    const reader = createReader(name, complain, isGone)
    const { as, replyId } = step
    reader.open({ type: 'open', reader: name, connection: name, as, replyId }, () => undefined)
    for (const event of step.events) {
      const entry = reader.see(event, isCorrectable(replyId))
      if (entry) agreeWithOthers(as, name, entry)
    }
    truths.set(replyId, reader.timeline)
    const last = reader.last(replyId)?.state ?? unseen
    const offsets = reader.timeline.findLast((entry) => entry.offsets !== undefined)?.offsets
    if (offsets !== undefined) finals.set(replyId, finalText(offsets, last))
    const { snapshot, isCaused } = step
    const { status, ending } = last
    if (isCaused === false && (status === 'FAILED' || status === 'CANCELLED')) {
      const how = status === 'FAILED' ? `failed as ${ending}` : 'is cancelled'
      complain(3, `${replyId} ${how}, and nothing has caused it`)
    }
    if (!snapshot) return
    if (snapshot.status !== last.status) {
      complain(3, `${replyId} is shown as ${snapshot.status}, its log says ${last.status}`)
    }
    if (snapshot.text !== last.answer.text || snapshot.reasoning !== last.reasoning.text) {
      complain(4, `${replyId} is shown with another text than its log has`)
    }
  }

  function open(step: Open) {
    const reader = readers.get(step.reader) ?? createReader(step.reader, complain, isGone)
    readers.set(step.reader, reader)
    checkReach(step.as, reader)
    connections.set(step.connection, { as: step.as, reader })
    reader.open(step, adopt)
  }

  /** What a reader shows that did not see itself how its cursor came about. */
  function adopt(replyId: string, at: CursorPlace): ReplyState | undefined {
    const events = truths.get(replyId)?.filter((entry) => entry.event.body.type !== 'delta')
    const [first] = events ?? []
    if (events === undefined || first === undefined) return undefined
    if (at.seq < first.place.seq) return unseen
    const state = events.findLast(({ place }) => place.seq <= at.seq)?.state ?? missed
    if (isEnded(state)) return state
    const offsets = at.texts.find(({ name }) => named.get(name) === replyId)
    if (offsets === undefined) return { ...state, answer: nothing, reasoning: nothing }
    const final = finals.get(replyId)
    const isFinal = final?.revision === offsets.revision
    const upTo = (track: 'answer' | 'reasoning'): KnownText =>
      isFinal
        ? append(nothing, final[track].text.slice(0, offsets[track]))
        : { ...nothing, from: offsets[track] }
    return { ...state, answer: upTo('answer'), reasoning: upTo('reasoning') }
  }

  function see(step: Seen) {
    const connection = connections.get(step.connection)
    if (!connection) return complain(1, `${step.connection} was never opened`)
    const { replyId } = step.event
    const owner = owners.get(replyId)
    if (owner === undefined) complain(5, `${step.connection}: ${replyId} was never accepted`)
    else if (owner !== connection.as) {
      complain(5, `${step.connection} of ${connection.as} was sent ${replyId} of ${owner}`)
    }
    const entry = connection.reader.see(step.event, isCorrectable(replyId))
    if (entry) agreeWithOthers(connection.as, step.connection, entry)
  }

  /** As far as the log goes behind the place at which a connection began. */
  function rest({ connection, start }: Rest) {
    const found = connections.get(connection)
    const { request, timeline } = found?.reader ?? {}
    const from = parseCursor(start)
    if (found === undefined || request === undefined || from === undefined) {
      return complain(1, `${connection} rests, and never began at a cursor`)
    }
    const { seq } = timeline?.at(-1)?.place ?? from
    for (const [replyId, truth] of truths) {
      if (owners.get(replyId) !== found.as || !isWanted(request, replyId)) continue
      const due = truth.findLast(({ event }) => event.body.type !== 'delta')
      if (due && due.place.seq > Math.max(seq, from.seq)) {
        complain(1, `${connection} stays at ${seq}, the log of ${replyId} is at ${due.place.seq}`)
      }
    }
  }

  function end(step: End) {
    const reader = connections.get(step.connection)?.reader
    const replyId = reader?.request?.replyId
    if (!reader || replyId === undefined || step.how !== 'complete') return
    const state = reader.last(replyId)?.state
    if (state && !isEnded(state)) complain(3, `${step.connection} is complete, ${replyId} is not`)
  }

  function agreeWithOthers(as: string, by: string, entry: Entry) {
    checkReplyCode(entry.event)
    if (entry.event.body.type === 'delta') return agreeOnTexts(as, by, entry)
    const { event, place } = entry
    const { replyId } = event
    const name = eventName(place)
    if (isTerminal(event)) {
      const first = ended.get(replyId) ?? name
      ended.set(replyId, first)
      if (first !== name) complain(3, `${replyId} ended at ${first}, and to ${by} at ${name}`)
      if (place.texts.some((text) => named.get(text.name) === replyId)) {
        complain(1, `${by}: ${event.cursor} keeps a place in the text of ${replyId}, which ended`)
      }
    }
    const key = JSON.stringify([as, place.seq])
    const first = shown.get(key)
    if (!first) return void shown.set(key, { entry, by })
    const other = first.entry
    if (
      place.check !== other.place.check ||
      other.event.replyId !== replyId ||
      other.event.body.type !== event.body.type
    ) {
      complain(2, `${name} is another event to ${by} than to ${first.by}`)
    } else if (isTerminal(event) && !agree(other.state, entry.state)) {
      complain(2, `after ${name} ${by} and ${first.by} disagree on ${replyId}`)
    }
  }

  /** A place in a text means one text, whoever comes there, and whenever. */
  function agreeOnTexts(as: string, by: string, { event, state, offsets }: Entry) {
    const { replyId, cursor } = event
    if (offsets === undefined) return
    const owner = named.get(offsets.name) ?? replyId
    named.set(offsets.name, owner)
    if (owner !== replyId)
      complain(2, `${by}: ${cursor} of ${replyId} moves in the text of ${owner}`)
    const { revision } = offsets
    const final = finals.get(replyId)
    for (const track of ['answer', 'reasoning'] as const) {
      const length = offsets[track]
      const key = JSON.stringify([as, replyId, revision, track, length])
      const first = told.get(key) ?? { text: state[track], by }
      told.set(key, first)
      const isLogs = final?.revision !== revision || isPrefix(state[track], final[track])
      if (!agreeOnText(first.text, state[track])) {
        complain(2, `after ${cursor} ${by} and ${first.by} disagree on ${replyId}`)
      } else if (!isLogs) complain(2, `after ${cursor} ${by} and the log disagree on ${replyId}`)
    }
  }

  /** All events that the log tells up to the last cursor of a reader's pass must have reached it. */
  function checkReach(as: string, reader: Reader) {
    const { request, from, timeline } = reader
    const until = timeline.at(-1)?.place
    if (!request || !until) return
    for (const [replyId, truth] of truthsFor(request)) {
      if (owners.get(replyId) !== as || !isWanted(request, replyId)) continue
      const start = from ?? (request.replyId === undefined ? timeline[0]?.place : undefined)
      const due = truth.findLast(
        ({ event, place }) =>
          event.body.type !== 'delta' &&
          (start === undefined || place.seq > start.seq) &&
          place.seq <= until.seq,
      )
      const isSeen = timeline.some(
        ({ event, place }) =>
          event.replyId === replyId && event.body.type !== 'delta' && place.seq === due?.place.seq,
      )
      if (due && !isSeen) {
        const at = eventName(until)
        complain(1, `${request.reader} is at ${at} and missed ${eventName(due.place)}`)
      }
    }
  }

  function truthsFor({ replyId }: Open): Iterable<readonly [string, readonly Entry[]]> {
    if (replyId === undefined) return truths
    const truth = truths.get(replyId)
    return truth === undefined ? [] : [[replyId, truth]]
  }

  function isWanted(request: Open, replyId: string): boolean {
    if (request.replyId !== undefined) return request.replyId === replyId
    const { conversationId } = request
    return conversationId === undefined || conversations.get(replyId) === conversationId
  }

  function checkTerminals() {
    for (const replyId of owners.keys()) {
      if (deleted.has(replyId)) continue
      const truth = truths.get(replyId)
      const ends = truth?.filter((entry) => isTerminal(entry.event)) ?? []
      if (truth ? ends.length === 0 : !ended.has(replyId)) complain(3, `${replyId} never ended`)
      if (ends.length > 1) complain(3, `${replyId} ended ${ends.length} times`)
      if (ends[0] && ends[0] !== truth?.at(-1)) complain(3, `${replyId} went on after its end`)
    }
  }

  function checkCode(step: Refused) {
    if (!documented[step.where].has(step.code)) {
      complain(7, `${step.code} is no documented code of a ${step.where}`)
    }
  }

  function checkReplyCode({ body, replyId }: SeenEvent) {
    if (body.type === 'failed' && !replyCodes.has(body.code)) {
      complain(7, `${replyId} failed with ${body.code}, which is not documented`)
    }
  }
}

interface FinalText {
  readonly revision: string
  readonly answer: { readonly text: string; readonly digests: Int32Array }
  readonly reasoning: { readonly text: string; readonly digests: Int32Array }
}

function finalText({ revision }: TextOffsets, { answer, reasoning }: ReplyState): FinalText {
  const whole = ({ text }: KnownText) => ({ text, digests: digestsOf(text) })
  return { revision, answer: whole(answer), reasoning: whole(reasoning) }
}

/** Whether a text is the beginning of the whole one, as far as it is known. */
function isPrefix({ from, text, digest }: KnownText, whole: FinalText['answer']): boolean {
  if (from === Infinity) return true
  return from === 0 ? whole.digests[text.length] === digest : whole.text.startsWith(text, from)
}
