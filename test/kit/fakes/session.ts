import {
  type AssistantId,
  type AssistantInfo,
  type Attachment,
  type AttachmentId,
  type Conversation,
  type ConversationId,
  type Cursor,
  type Message,
  type MessageId,
  type Position,
  type Reply,
  type ReplyEvent,
  type ReplyEventBody,
  type ReplyId,
  type Session,
  type SessionId,
  type SessionName,
  isTerminal as isOver,
} from '../../../src/domain.ts'
import { BadUserInputError, CursorExpiredError, NotFoundError } from '../../../src/errors.ts'
import { onAbort } from '../../../src/lib/on-abort.ts'
import type { SendMessageRequest } from '../../../src/session/acceptance.ts'
import type { SessionConversations } from '../../../src/session/conversations.ts'
import type { SessionReplies } from '../../../src/session/replies.ts'
import type { Page, PageRequest, SessionStore } from '../../../src/store/session-store.ts'
import type { LogItem } from '../../../src/store/log.ts'

/** A session in memory whose replies do what the test says, so that GraphQL and SSE can be tried without an engine. */
export interface FakeSession {
  readonly store: SessionStore
  readonly replies: SessionReplies
  readonly conversations: SessionConversations
  readonly sent: readonly SendMessageRequest[]
  /** How often the store was asked for rows by id, and for how many. */
  readonly reads: { readonly type: string; readonly ids: number }[]
  /** Appends events to the log as one batch; answers their cursors. */
  append(replyId: ReplyId, ...bodies: readonly ReplyEventBody[]): readonly Cursor[]
  /** Everything before the next event is gone. */
  trim(): void
  /** The next read of the log fails so. */
  failWith(error: Error): void
  /** Subscriptions that are being read. */
  readonly readers: number
}

export const assistants: readonly AssistantInfo[] = [
  {
    id: 'flow' as AssistantId,
    name: 'Flow',
    parameterNames: ['city'],
    metadataNames: ['ticket'],
    acceptsAttachments: true,
    imageHosts: [],
  },
  {
    id: 'bot' as AssistantId,
    name: 'Bot',
    parameterNames: [],
    metadataNames: [],
    acceptsAttachments: false,
    imageHosts: [],
  },
]

const firstAssistant = 'flow' as AssistantId
const startAt = 1_700_000_000_000

export function createFakeSession(name = 'alice'): FakeSession {
  const session: Session = { id: name as SessionId, name: name as SessionName }
  const conversations = new Map<ConversationId, Conversation>()
  const messages = new Map<MessageId, Message>()
  const replies = new Map<ReplyId, Reply>()
  const attachments = new Map<AttachmentId, Attachment>()
  const sent: SendMessageRequest[] = []
  const reads: { type: string; ids: number }[] = []
  const batches: LogItem[][] = []
  let waiting: (() => void)[] = []
  /** Where its cursor stands among all that was appended. */
  const orders = new Map<Cursor, number>()
  let position: Position = { seq: 0, check: '', texts: [] }
  let appended = 0
  let trimmedTo = 0
  let failure: Error | undefined
  let readers = 0

  const start = `${name}.0.-` as Cursor
  const cursorAt = ({ seq, check, texts }: Position) => {
    const offsets = texts.map(
      (text) => `~${text.replyId}.${text.revision}.${text.answer}.${text.reasoning}`,
    )
    return `${name}.${seq}.${check || '-'}${offsets.join('')}` as Cursor
  }
  const cursorOf = (item: LogItem) => cursorAt(item.position)
  const orderOf = (item: LogItem) => orders.get(cursorOf(item)) ?? 0

  function byIds<Id extends string, Row>(type: string, rows: ReadonlyMap<Id, Row>) {
    return async (ids: readonly Id[]) => {
      reads.push({ type, ids: ids.length })
      return ids.map((id) => rows.get(id))
    }
  }

  const store: SessionStore = {
    session,
    conversations: byIds('conversations', conversations),
    messages: byIds('messages', messages),
    replies: byIds('replies', replies),
    replyState: async (id) => {
      const reply = replies.get(id)
      return (
        reply && {
          conversationId: reply.conversationId,
          endedSeq: isOver(reply.status) ? 0 : undefined,
        }
      )
    },
    attachments: byIds('attachments', attachments),
    openReplies: async (id) =>
      [...replies.values()].filter(
        ({ status, conversationId }) =>
          !isOver(status) && (id === undefined || conversationId === id),
      ),
    tookToolOutputs: async () => false,
    answerOrigin: async () => undefined,
    upstreamConversations: async () => [],
    hadChat: async () => false,
    conversationPage: async (page) => pageOf([...conversations.values()].toReversed(), page),
    async messagePage(id, page) {
      const own = [...messages.values()].filter(({ conversationId }) => conversationId === id)
      const found = pageOf(own, page)
      return found
    },
  }

  return {
    store,
    replies: {
      async sendMessage(request) {
        sent.push(request)
        const conversation = request.conversationId
          ? conversations.get(request.conversationId)
          : begin(request.assistantId)
        if (!conversation)
          throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
        return accept(conversation, request.text)
      },
      async cancelReply(id) {
        const reply = replies.get(id)
        if (!reply) throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
        return update(id, { status: 'CANCELLED' })
      },
      async submitToolOutputs(id) {
        if (!replies.has(id))
          throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
        return update(id, { status: 'RUNNING', toolCalls: [], actionExpiresAt: null })
      },
      limits: async () => ({
        messages: { limit: 60, remaining: 60, resetAt: null },
        uploads: { limit: 20, remaining: 20, resetAt: null },
        openReplies: { limit: 40, remaining: 40, resetAt: null },
      }),
      cursor: async () => cursorAt(position),
      async subscribe({ replyId, conversationId, after, lastEventId }) {
        const from = startOf(replyId, lastEventId ?? after)
        const isMine = ({ event }: LogItem) =>
          (!replyId || event.replyId === replyId) &&
          (!conversationId || event.conversationId === conversationId)
        const end = replyId && batches.flat().findLast((item) => isMine(item) && isTerminal(item))
        const past = end !== undefined && from >= orderOf(end)
        return {
          past: past && lastEventId !== undefined,
          start: [...orders].find(([, order]) => order === from)?.[0] ?? start,
          cursor: cursorOf,
          async follow(take, signal) {
            const batches = read(from, isMine, replyId !== undefined, past, signal)
            for await (const batch of batches) await take(batch)
          },
        }
      },
    },
    conversations: {
      start: async ({ assistantId, title }) =>
        change(begin(assistantId).id, { title: title ?? null }),
      rename: async (id, title) => change(id, { title }),
      clear: async (id) => change(id, {}),
      async delete(id) {
        change(id, {})
        conversations.delete(id)
        return { deleted: 1, remains: [] }
      },
      async erase() {
        const erased = { conversations: conversations.size, messages: messages.size }
        const files = attachments.size
        for (const rows of [conversations, messages, replies, attachments]) rows.clear()
        return { ...erased, attachments: files, deleted: erased.conversations, remains: [] }
      },
      async rate(id, { rating }) {
        const message = messages.get(id)
        if (!message) throw new NotFoundError('There is no such answer.', { field: ['messageId'] })
        const rated = { ...message, rating }
        messages.set(id, rated)
        return rated
      },
      async uploadFile(assistantId, { name: fileName, mediaType, content }) {
        let bytes = 0
        for await (const piece of content) bytes += piece.length
        const id = `f${attachments.size}` as AttachmentId
        const about = { assistantId: assistantId ?? firstAssistant, mediaType, bytes }
        const attachment = { id, name: fileName, ...about, createdAt: startAt }
        attachments.set(id, attachment)
        return attachment
      },
    },
    sent,
    reads,
    append(replyId, ...bodies) {
      const { conversationId } = update(replyId, {})
      const batch = bodies.map((body): LogItem => {
        const of = { replyId, conversationId }
        position = positionAfter(replyId, body)
        orders.set(cursorAt(position), (appended += 1))
        const { seq, check } = position
        const event = body.type === 'delta' ? { ...body, ...of } : { ...body, ...of, seq, check }
        return { event, position }
      })
      for (const { event } of batch) follow(event)
      batches.push(batch)
      wake()
      return batch.map(cursorOf)
    },
    trim() {
      trimmedTo = appended
    },
    failWith(error) {
      failure = error
      wake()
    },
    get readers() {
      return readers
    },
  }

  function wake() {
    for (const resolve of waiting) resolve()
    waiting = []
  }

  /** A delta moves in the text of its reply, every other event has a number of its own. */
  function positionAfter(replyId: ReplyId, body: ReplyEventBody): Position {
    const others = position.texts.filter((text) => text.replyId !== replyId)
    if (body.type !== 'delta') {
      const seq = position.seq + 1
      const isEnd = body.type === 'completed' || body.type === 'failed' || body.type === 'cancelled'
      return { seq, check: `e${seq}`, texts: isEnd ? others : position.texts }
    }
    const unread = { replyId, revision: 'x0', answer: 0, reasoning: 0 }
    const before = position.texts.find((text) => text.replyId === replyId) ?? unread
    const track = body.kind === 'ANSWER' ? 'answer' : 'reasoning'
    const isCorrection = body.offset < before[track]
    const revision = isCorrection ? `${before.revision}x` : before.revision
    const text = { ...before, revision, [track]: body.offset + body.text.length }
    return { ...position, texts: [...others, text] }
  }

  function startOf(replyId: ReplyId | undefined, cursor: string | undefined): number {
    if (replyId && !replies.has(replyId))
      throw new NotFoundError('There is no such reply.', { field: ['replyId'] })
    if (cursor === undefined) return replyId ? 0 : appended
    const from = cursor === start ? 0 : orders.get(cursor as Cursor)
    if (from === undefined) {
      throw new BadUserInputError('"after" is no cursor of this session')
    }
    if (from < trimmedTo) throw new CursorExpiredError('the log begins later')
    return from
  }

  async function* read(
    from: number,
    isMine: (item: LogItem) => boolean,
    isOfReply: boolean,
    past: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LogItem[], void, undefined> {
    if (past) return
    readers += 1
    try {
      for (let order = from; ;) {
        signal.throwIfAborted()
        if (failure) throw failure
        const batch = batches
          .findLast((_batch, index) => lastOrder(batches[index - 1]) <= order)
          ?.filter((item) => orderOf(item) > order)
        if (!batch?.length) {
          const { promise, resolve } = Promise.withResolvers<void>()
          waiting.push(resolve)
          using _abort = onAbort(signal, resolve)
          await promise
          continue
        }
        order = lastOrder(batch)
        const mine = batch.filter(isMine)
        if (mine.length > 0) yield mine
        if (isOfReply && mine.some(isTerminal)) return
      }
    } finally {
      readers -= 1
    }
  }

  function lastOrder(batch: readonly LogItem[] | undefined): number {
    const last = batch?.at(-1)
    return last === undefined ? 0 : orderOf(last)
  }

  function begin(assistantId: AssistantId | undefined): Conversation {
    const at = startAt + conversations.size
    const id = `c${conversations.size}` as ConversationId
    const conversation = {
      id,
      assistantId: assistantId ?? firstAssistant,
      title: null,
      createdAt: at,
      lastUsedAt: at,
      used: conversations.size + 1,
    }
    conversations.set(id, conversation)
    return conversation
  }

  function accept({ id, assistantId }: Conversation, text: string): Reply {
    const replyId = `r${replies.size}` as ReplyId
    const messageId = `m${messages.size}` as MessageId
    const createdAt = startAt + messages.size
    messages.set(messageId, {
      id: messageId,
      conversationId: id,
      replyId,
      role: 'USER',
      text,
      attachmentIds: [],
      imageUrls: [],
      rating: null,
      createdAt,
    })
    const reply: Reply = {
      id: replyId,
      conversationId: id,
      assistantId,
      messageId,
      answerId: null,
      status: 'RUNNING',
      text: '',
      reasoning: '',
      queuePosition: null,
      usage: null,
      followUps: [],
      question: null,
      omitted: [],
      toolCalls: [],
      actionExpiresAt: null,
      contextReset: false,
      failure: null,
      upstreamCancelled: false,
      explanation: null,
      createdAt,
      startedAt: createdAt,
      endedAt: null,
    }
    replies.set(replyId, reply)
    return reply
  }

  function follow(event: ReplyEvent): void {
    if (event.type === 'delta' && event.kind === 'ANSWER') {
      const { text } = update(event.replyId, {})
      update(event.replyId, { text: text.slice(0, event.offset) + event.text })
    }
    if (event.type === 'action-required') {
      const { toolCalls, expiresAt: actionExpiresAt } = event
      update(event.replyId, { status: 'ACTION_REQUIRED', toolCalls, actionExpiresAt })
    }
    if (event.type === 'failed') {
      const { code, message, retryable, retryAfterMs } = event
      const failure = { code, message, retryable, retryAfterMs }
      update(event.replyId, { status: 'FAILED', failure })
    }
    if (event.type === 'completed') update(event.replyId, { status: 'COMPLETED', text: event.text })
  }

  function change(id: ConversationId, to: Partial<Conversation>): Conversation {
    const conversation = conversations.get(id)
    if (!conversation)
      throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
    const changed = { ...conversation, ...to }
    conversations.set(id, changed)
    return changed
  }

  function update(id: ReplyId, change: Partial<Reply>): Reply {
    const reply = replies.get(id)
    if (!reply) throw new Error(`the test knows no reply ${id}`)
    const changed = { ...reply, ...change }
    replies.set(id, changed)
    return changed
  }
}

function isTerminal({ event: { type } }: LogItem): boolean {
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}

function pageOf<Id extends string, Row extends { readonly id: Id }>(
  all: readonly Row[],
  { direction, limit, after, before }: PageRequest<Id>,
): Page<Row> | undefined {
  const place = (id: Id) => all.findIndex((row) => row.id === id)
  const from = after === undefined ? 0 : place(after) + 1
  const to = before === undefined ? all.length : place(before)
  if ((after !== undefined && from === 0) || to < 0) return undefined
  const window = all.slice(from, to)
  const rows = direction === 'forward' ? window.slice(0, limit) : window.slice(-limit)
  const first = rows[0]
  const last = rows.at(-1)
  return {
    rows,
    hasPreviousPage: first !== undefined && first !== all[0],
    hasNextPage: last !== undefined && last !== all.at(-1),
  }
}
