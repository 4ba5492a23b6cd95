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
} from '../../src/domain.ts'
import type {
  AcceptOutcome,
  AcceptRequest,
  Claim,
  FinishOutcome,
  FinishRequest,
  Ledger,
} from '../../src/store/ledger.ts'
import type { EventFilter, ReplyLog } from '../../src/store/log.ts'
import type { ReplyStore } from '../../src/store/store.ts'
import { randomId } from './ids.ts'

export const assistant = 'assistant-1' as AssistantId
export const otherAssistant = 'assistant-2' as AssistantId
export const beginning: Position = { epoch: 0, seq: 0 }

export const newReplyId = () => randomId() as ReplyId
export const newMessageId = () => randomId() as MessageId
export const newConversationId = () => randomId() as ConversationId

export async function openSession(ledger: Ledger): Promise<Session> {
  const id = randomId() as SessionId
  const name = (generation: number) => `name-${id}-${generation}` as SessionName
  return (await ledger.openSession(id, name, 1)).session
}

export function accept(
  ledger: Ledger,
  session: Session,
  request: Partial<AcceptRequest> = {},
): Promise<AcceptOutcome> {
  return ledger.accept(session, {
    replyId: newReplyId(),
    messageId: newMessageId(),
    newConversationId: newConversationId(),
    assistantId: undefined,
    defaultAssistantId: assistant,
    conversationId: undefined,
    text: 'hello',
    attachmentIds: [],
    extras: { parameters: {}, metadata: {} },
    onBusy: 'QUEUE',
    idempotency: undefined,
    maxQueued: 8,
    maxOpen: 100,
    at: 1,
    ...request,
  })
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

export async function claimReply(
  ledger: Ledger,
  session: Session,
  conversationId: ConversationId,
): Promise<Claim> {
  const claim = await ledger.claim(session, conversationId, 2)
  if (claim === undefined) throw new Error('expected a claim')
  return claim
}

/** A reply that runs, with its intent recorded: the first in a new conversation unless one is given. */
export async function runReply(
  { ledger }: ReplyStore,
  session: Session,
  conversationId?: ConversationId,
): Promise<Claim> {
  const begun = {
    id: newConversationId(),
    assistantId: assistant,
    title: undefined,
    at: 1,
    max: 1_000,
  }
  if (conversationId === undefined) await ledger.startConversation(session, begun)
  const conversation = conversationId ?? begun.id
  await acceptReply(ledger, session, { conversationId: conversation })
  const claim = await claimReply(ledger, session, conversation)
  const { reply, fence } = claim
  await ledger.recordIntent(session, reply.id, fence, { contextReset: false, at: 3 })
  return claim
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
  ledger: Ledger,
  { session, reply, fence }: Claim,
  event: TerminalEventBody,
  request: Partial<FinishRequest> = {},
): Promise<FinishOutcome> {
  return ledger.finish(session, {
    replyId: reply.id,
    fence,
    event,
    answerId: newMessageId(),
    resetUpstream: false,
    upstreamMessageId: undefined,
    explanation: undefined,
    at: 10,
    ...request,
  })
}

/** Everything after a position; a trimmed log fails the test. */
export async function readAll(
  log: ReplyLog,
  { id }: Session,
  after: Position = beginning,
  filter: EventFilter = {},
  maxLength = 100_000,
): Promise<ReplyEvent[]> {
  const all: ReplyEvent[] = []
  for (let position = after; ;) {
    const events = await log.read(id, position, filter, maxLength)
    if (events === 'trimmed') throw new Error('the log is trimmed')
    const last = events.at(-1)
    if (last === undefined) return all
    all.push(...events)
    position = last
  }
}

/** What a client that applies the events holds of each reply. */
export function textsOf(events: readonly ReplyEvent[], texts = new Map<string, string>()) {
  for (const event of events) {
    if (event.type !== 'delta') continue
    const key = `${event.replyId} ${event.kind}`
    texts.set(key, (texts.get(key) ?? '').slice(0, event.offset) + event.text)
  }
  return texts
}

export const answerOf = (events: readonly ReplyEvent[], { reply }: Claim) =>
  textsOf(events).get(`${reply.id} ANSWER`) ?? ''
