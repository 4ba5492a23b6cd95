import { expect } from 'vitest'
import type {
  AttachmentId,
  ConversationId,
  ReplyId,
  SessionId,
  SessionName,
} from '../../src/domain.ts'
import type { AcceptRequest } from '../../src/store/ledger.ts'
import type { ArgsOf, Method, ResultOf } from '../../src/store/main-half/calls.ts'
import type { StoredRun, TextWrite } from '../../src/store/main-half/stored.ts'
import type { OwedWorkId } from '../../src/store/outbox.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { assistant, newMessageId } from '../kit/fakes/stored-replies.ts'

type Call = <M extends Method>(method: M, args: ArgsOf<M>) => Promise<ResultOf<M>>

/** Asks an engine for all that it can, except to close. */
export async function makeEveryCall(call: Call): Promise<void> {
  const sessionId = randomId() as SessionId
  const of = { sessionId }
  const conversationId = randomId() as ConversationId
  const scope = { origin: 'https://a', account: 'b' }
  const binding = { scope, strategy: 'bot', conversationId: '1' } as const
  const asked = new Set<string>()
  const ask: Call = (method, args) => {
    asked.add(method)
    return call(method, args)
  }
  await ask('openSession', { id: sessionId, name: 'name' as SessionName, at: 1 })
  const begun = {
    id: conversationId,
    assistantId: assistant,
    title: 'Title',
    idempotency: undefined,
    at: 1,
    max: 9,
  }
  await ask('startConversation', { ...of, ...begun })
  await ask('renameConversation', { ...of, id: conversationId, title: 'Mine', at: 2 })
  const attachmentId = randomId() as AttachmentId
  const about = { id: attachmentId, assistantId: assistant, createdAt: 1, bytes: 1 }
  const file = { name: 'a.png', mediaType: 'image/png', scope, upstreamId: '2' }
  await ask('addAttachment', { ...of, attachment: { ...about, ...file } })
  const request = (more: Partial<AcceptRequest>): AcceptRequest => ({
    replyId: randomId() as ReplyId,
    messageId: newMessageId(),
    newConversationId: randomId() as ConversationId,
    assistantId: undefined,
    defaultAssistantId: assistant,
    conversationId,
    text: 'hello',
    attachmentIds: [attachmentId],
    imageUrls: [],
    extras: { parameters: { a: 1 }, metadata: {} },
    onBusy: 'QUEUE',
    idempotency: { key: randomId(), digest: 'd' },
    maxQueued: 8,
    maxOpen: 100,
    begin: { assistantId: assistant, served: [{ scope, strategy: 'bot' }] },
    at: 1,
    ...more,
  })
  const textOf = (run: StoredRun): TextWrite => ({
    ...of,
    replyId: run.claim.reply.id,
    fence: run.fence,
    answer: { offset: 0, text: 'Hi' },
    reasoning: { offset: 0, text: 'Hm' },
    revisions: run.revisions,
    chatId: 'chat',
  })
  const end = { resetUpstream: true, upstreamMessageId: 'm', explanation: undefined, at: 9 }
  const ending = {
    type: 'completed',
    usage: null,
    followUps: [],
    question: null,
    omitted: [],
    contextReset: false,
  } as const
  const finish = (replyId: ReplyId, text: TextWrite | undefined) =>
    ask('finish', {
      ...of,
      ...end,
      replyId,
      text,
      event: text === undefined ? { type: 'cancelled', upstreamCancelled: false } : ending,
      answerId: newMessageId(),
      owesCancel: { upstream: binding, chatId: 'chat' },
    })

  await ask('accept', { ...of, request: request({ conversationId: undefined }) })
  await ask('accept', { ...of, request: request({}) })
  const claimed = await ask('claim', { ...of, conversationId, at: 2 })
  if (claimed === undefined) throw new Error('expected a claim')
  const { id: replyId } = claimed.claim.reply
  await ask('requeue', { ...of, replyId, fence: claimed.fence })
  const run = await ask('claim', { ...of, conversationId, at: 2 })
  if (run === undefined) throw new Error('expected a claim')
  const ofRun = { ...of, replyId, fence: run.fence }
  await ask('isHeld', ofRun)
  await ask('intend', { ...ofRun, binding, contextReset: true, at: 3 })
  await ask('bind', { ...ofRun, binding, contextReset: true, at: 3 })
  await ask('writeTexts', { texts: [textOf(run)] })
  await ask('requireAction', { ...of, text: textOf(run), toolCalls: [], expiresAt: 9 })
  await ask('takeWaiting', { ...of, replyId })
  await ask('takeToolOutputs', { ...of, replyId, toolCallIds: [], digest: 'd' })
  await ask('tookToolOutputs', { ...of, replyId, digest: 'd' })
  await finish(replyId, textOf(run))
  await ask('accept', { ...of, request: request({}) })
  await ask('accept', { ...of, request: request({ onBusy: 'INTERRUPT' }) })
  await ask('orphans', {})
  await ask('explanation', { id: replyId })
  await ask('waiting', {})
  await ask('handOver', {})
  await ask('takeDuty', { name: 'trim', everyMs: 1 })
  const [reply] = await ask('replies', { ...of, ids: [replyId] })
  const answerId = reply?.answerId ?? newMessageId()
  await ask('rateAnswer', { ...of, id: answerId, rating: 'LIKE' })
  await ask('answerOrigin', { ...of, id: answerId })
  await ask('messages', { ...of, ids: [answerId] })
  await ask('conversations', { ...of, ids: [conversationId] })
  await ask('attachments', { ...of, ids: [attachmentId] })
  await ask('replyState', { ...of, id: replyId })
  await ask('hadChat', { ...of, conversationId, chatId: 'chat' })
  await ask('upstreamConversations', { ...of, conversationId })
  await ask('history', { ...of, replyId, limit: 9 })
  for (const direction of ['forward', 'backward'] as const) {
    const page = { direction, limit: 1, after: undefined, before: undefined }
    await ask('conversationPage', { ...of, page: { ...page, after: conversationId } })
    await ask('messagePage', { ...of, conversationId, page: { ...page, after: answerId } })
  }
  const after = await ask('logStart', { ...of, replyId })
  if (after === undefined || after === 'expired') throw new Error('expected a place')
  for (const filter of [{}, { replyId }, { conversationId }]) {
    await ask('readLog', { ...of, after, isKnown: false, filter, limit: 9 })
  }
  const known = { replyId, revision: 'a0', answer: 1, reasoning: 0 }
  await ask('follow', { sessions: [sessionId], idle: [sessionId], texts: [known] })
  await ask('readTexts', { ...of, pieces: [{ replyId, kind: 'ANSWER', from: 0, to: 9 }] })
  await ask('checkPlace', { ...of, place: await ask('logEnd', of) })
  for (const { id } of await ask('openReplies', { ...of, conversationId: undefined })) {
    await finish(id, undefined)
  }
  const [owed] = await ask('takeOwed', { now: 99, leaseMs: 1, limit: 9 })
  await ask('postponeOwed', { id: owed?.id ?? ('' as OwedWorkId), dueAt: 100 })
  await ask('nextOwed', {})
  await ask('settleOwed', { ids: owed === undefined ? [] : [owed.id] })
  const target = { assistantId: assistant, strategy: 'bot' } as const
  const proof = { verdict: 'ISOLATED', findings: [], checkedAt: 1, settingsDigest: 's' } as const
  await ask('recordProof', { target, proof })
  await ask('recordBreach', {
    target,
    evidence: { at: 1, what: 'a leak', logIds: [], sessions: [] },
  })
  await ask('isolationRecords', {})
  await ask('clearBreaches', { assistantId: assistant })
  while ((await ask('trimLog', { endedBefore: 100 })).count > 0);
  while ((await ask('trimMessages', { writtenBefore: 100 })) > 0);
  await ask('readLog', {
    ...of,
    after: { seq: 0, check: '' },
    isKnown: true,
    filter: { conversationId },
    limit: 9,
  })
  await ask('clearConversation', { ...of, id: conversationId, at: 10 })
  await ask('deleteConversation', { ...of, id: conversationId, at: 10 })
  await ask('eraseSession', { ...of, generation: 1, name: 'new' as SessionName, at: 11 })
  await ask('trimLog', { endedBefore: 100 })
  await ask('ping', { at: 12 })
  await ask('durability', {})
  await ask('checkFile', {})
  expect([...asked].toSorted()).toEqual([...everyMethod, 'checkFile'].toSorted())
}

/** As the type says them; a call that is added and not asked for is found by the compiler. */
const everyMethod = Object.keys({
  openSession: 0,
  startConversation: 0,
  renameConversation: 0,
  clearConversation: 0,
  deleteConversation: 0,
  eraseSession: 0,
  addAttachment: 0,
  rateAnswer: 0,
  accept: 0,
  claim: 0,
  requeue: 0,
  isHeld: 0,
  intend: 0,
  bind: 0,
  writeTexts: 0,
  requireAction: 0,
  takeToolOutputs: 0,
  takeWaiting: 0,
  finish: 0,
  orphans: 0,
  explanation: 0,
  waiting: 0,
  handOver: 0,
  takeDuty: 0,
  trimMessages: 0,
  history: 0,
  conversations: 0,
  messages: 0,
  replies: 0,
  replyState: 0,
  attachments: 0,
  openReplies: 0,
  tookToolOutputs: 0,
  hadChat: 0,
  answerOrigin: 0,
  upstreamConversations: 0,
  conversationPage: 0,
  messagePage: 0,
  readLog: 0,
  follow: 0,
  readTexts: 0,
  logEnd: 0,
  logStart: 0,
  checkPlace: 0,
  trimLog: 0,
  takeOwed: 0,
  settleOwed: 0,
  postponeOwed: 0,
  nextOwed: 0,
  isolationRecords: 0,
  recordProof: 0,
  recordBreach: 0,
  clearBreaches: 0,
  ping: 0,
  durability: 0,
} satisfies Record<Exclude<Method, 'checkFile' | 'close'>, 0>)
