import type {
  AssistantId,
  ConversationId,
  MessageId,
  Position,
  Reply,
  ReplyEvent,
  ReplyId,
  Session,
  SessionId,
  SessionName,
  TerminalEventBody,
} from '../../../src/domain.ts'
import type {
  AcceptOutcome,
  AcceptRequest,
  Ledger,
  StartOutcome,
} from '../../../src/store/ledger.ts'
import type { FinishOutcome, FinishRequest, RunLease } from '../../../src/store/run-lease.ts'
import type { EventFilter, LogItem, ReplyLog } from '../../../src/store/log.ts'
import type { ReplyStore } from '../../../src/store/store.ts'
import { append, nothing, splice } from '../history/known-text.ts'
import { randomId } from './ids.ts'

export const assistant = 'assistant-1' as AssistantId
export const otherAssistant = 'assistant-2' as AssistantId
export const beginning: Position = { seq: 0, check: '', texts: [] }

export const newReplyId = () => randomId() as ReplyId
export const newMessageId = () => randomId() as MessageId
export const newConversationId = () => randomId() as ConversationId

export async function openSession(ledger: Ledger): Promise<Session> {
  const id = randomId() as SessionId
  const name = (generation: number) => `name-${id}-${generation}` as SessionName
  return (await ledger.openSession(id, name, 1)).session
}

/** A message as plain as can be. */
export function requestOf(request: Partial<AcceptRequest> = {}): AcceptRequest {
  return {
    replyId: newReplyId(),
    messageId: newMessageId(),
    newConversationId: newConversationId(),
    assistantId: undefined,
    defaultAssistantId: assistant,
    conversationId: undefined,
    text: 'hello',
    attachmentIds: [],
    imageUrls: [],
    extras: { parameters: {}, metadata: {} },
    onBusy: 'QUEUE',
    idempotency: undefined,
    maxQueued: 8,
    maxOpen: 100,
    begin: undefined,
    at: 1,
    ...request,
  }
}

export function accept(
  ledger: Ledger,
  session: Session,
  request: Partial<AcceptRequest> = {},
): Promise<AcceptOutcome> {
  return ledger.accept(session, requestOf(request))
}

/** The accepted reply; any other outcome fails the test. */
export async function acceptReply(
  ledger: Ledger,
  session: Session,
  request: Partial<AcceptRequest> = {},
): Promise<Reply> {
  const outcome = await accept(ledger, session, request)
  if (outcome.type !== 'accepted') throw new Error(`expected "accepted", got "${outcome.type}"`)
  return outcome.reply
}

export function startConversation(
  ledger: Ledger,
  session: Session,
  request: Partial<Parameters<Ledger['startConversation']>[1]> = {},
): Promise<StartOutcome> {
  return ledger.startConversation(session, {
    id: newConversationId(),
    assistantId: assistant,
    title: undefined,
    idempotency: undefined,
    at: 1,
    max: 1_000,
    ...request,
  })
}

export async function claimReply(
  ledger: Ledger,
  session: Session,
  conversationId: ConversationId,
): Promise<RunLease> {
  const lease = await ledger.claim(session, conversationId, 2)
  if (lease === undefined) throw new Error('expected a lease')
  return lease
}

/** A reply that runs, with its intent recorded: the first in a new conversation unless one is given. */
export async function runReply(
  { ledger }: ReplyStore,
  session: Session,
  conversationId?: ConversationId,
): Promise<RunLease> {
  const begun = newConversationId()
  if (conversationId === undefined) await startConversation(ledger, session, { id: begun })
  const conversation = conversationId ?? begun
  await acceptReply(ledger, session, { conversationId: conversation })
  const lease = await claimReply(ledger, session, conversation)
  await lease.intend({ binding: undefined, contextReset: false, at: 3 })
  return lease
}

export const completed = (text: string): TerminalEventBody => ({
  type: 'completed',
  text,
  usage: null,
  followUps: [],
  question: null,
  omitted: [],
  contextReset: false,
})
export const cancelled: TerminalEventBody = { type: 'cancelled', upstreamCancelled: false }

export function finish(
  lease: RunLease,
  event: TerminalEventBody,
  request: Partial<FinishRequest> = {},
): Promise<FinishOutcome> {
  return lease.finish({
    event,
    answerId: newMessageId(),
    resetUpstream: false,
    upstreamMessageId: undefined,
    explanation: undefined,
    owesCancel: undefined,
    at: 10,
    ...request,
  })
}

/** Ends a reply whoever runs it. */
export function endByOther(
  { ledger }: ReplyStore,
  session: Session,
  replyId: ReplyId,
  request: Partial<FinishRequest> = {},
): Promise<FinishOutcome> {
  return ledger.finish(session, {
    replyId,
    event: cancelled,
    answerId: newMessageId(),
    resetUpstream: false,
    upstreamMessageId: undefined,
    explanation: undefined,
    owesCancel: undefined,
    at: 10,
    ...request,
  })
}

/** All events after a position. */
export async function readAll(
  ...args: Parameters<typeof readItems>
): Promise<readonly ReplyEvent[]> {
  return (await readItems(...args)).map(({ event }) => event)
}

/** Everything after a position; an expired one fails the test. */
export async function readItems(
  log: ReplyLog,
  { id }: Session,
  after: Position = beginning,
  filter: EventFilter = {},
  maxLength = 100_000,
): Promise<LogItem[]> {
  const all: LogItem[] = []
  for (let position = after; ;) {
    const items = await log.read(id, position, filter, maxLength)
    if (items === 'expired') throw new Error('the position is expired')
    const last = items.at(-1)
    if (last === undefined) return all
    all.push(...items)
    position = last.position
  }
}

/** What a client holds of each reply that held these texts and applies the events. A gap fails the test. */
export function textsOf(
  events: readonly ReplyEvent[],
  held: Iterable<readonly [string, string]> = [],
): Map<string, string> {
  const texts = new Map(Array.from(held, ([key, text]) => [key, append(nothing, text)]))
  for (const event of events) {
    if (event.type !== 'delta') continue
    const key = `${event.replyId} ${event.kind}`
    texts.set(key, splice(texts.get(key) ?? nothing, event, true, fail))
  }
  return new Map(Array.from(texts, ([key, { text }]) => [key, text]))
}

const fail = (_rule: number, problem: string) => {
  throw new Error(problem)
}

export function answerOf(
  events: readonly ReplyEvent[],
  { reply }: Pick<RunLease, 'reply'>,
  held = '',
): string {
  const key = `${reply.id} ANSWER`
  return textsOf(events, [[key, held]]).get(key) ?? ''
}
