import {
  type Attachment,
  type ChatClient,
  ChatError,
  type ChatReply,
  type Message,
  type Rating,
  type ReplyState,
  type SendOptions,
  startConversation,
  type ToolOutput,
} from '../client/client.ts'
import { createSubject } from '../client/observable.ts'

/**
 * - `loading`: the messages so far are being read.
 * - `ready`: the next message can be sent.
 * - `submitted`: a message was sent, and its reply has no text yet.
 * - `streaming`: a reply grows.
 * - `action-required`: a reply waits for `submitToolOutputs`.
 * - `failed`: the last message was not sent, or its reply failed; `error` says why.
 */
export type ChatStatus =
  | 'loading'
  | 'ready'
  | 'submitted'
  | 'streaming'
  | 'action-required'
  | 'failed'

export interface ChatMessage {
  /** Stays the same while a reply grows: a key for a list. */
  readonly id: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  /** The reply that grows or has grown while this chat was open. */
  readonly reply: ReplyState | undefined
  /** What `rate` of the client takes. */
  readonly messageId: string | undefined
  readonly rating: Rating | null
  readonly attachments: readonly Pick<Attachment, 'id' | 'name'>[]
}

export interface ChatSnapshot {
  readonly conversationId: string | undefined
  readonly messages: readonly ChatMessage[]
  readonly status: ChatStatus
  readonly error: ChatError | undefined
  readonly hasEarlier: boolean
}

export interface ChatOptions {
  /** Default: a new conversation, which begins with the first message. */
  readonly conversationId?: string | undefined
  /** The assistant of a new conversation. Default: the first configured. */
  readonly assistantId?: string | undefined
}

export type MessageOptions = Omit<SendOptions, 'conversationId' | 'assistantId'>

interface Unsent {
  readonly text: string
  readonly options: MessageOptions | undefined
}

/** One conversation as a value that changes. It is read and followed while somebody is subscribed. */
export interface Chat {
  readonly snapshot: () => ChatSnapshot
  readonly subscribe: (listener: () => void) => () => void
  /** Never rejects: a message that was not sent is told by `status` and `error`, and `regenerate` sends it again. */
  readonly send: (text: string, options?: MessageOptions) => Promise<void>
  /** Stops the replies that run; their texts stay. */
  readonly stop: () => Promise<void>
  /** Sends the last message of the user again, as a new message. */
  readonly regenerate: () => Promise<void>
  /** Default: of the reply that waits. */
  readonly submitToolOutputs: (outputs: readonly ToolOutput[], replyId?: string) => Promise<void>
  readonly loadEarlier: () => Promise<void>
}

const isOpen = ({ status }: ReplyState) =>
  status === 'QUEUED' || status === 'RUNNING' || status === 'ACTION_REQUIRED'

export function createChat(client: ChatClient, options: ChatOptions): Chat {
  let { conversationId } = options
  /** The stored messages, oldest first. */
  let stored: readonly ChatMessage[] = []
  /** The replies that were followed here, in their order. */
  const replies = new Map<string, ChatReply>()
  /** Messages that are on their way, or could not be sent. */
  let unsent: readonly Unsent[] = []
  let starting: Promise<string> | undefined
  let earlier: string | undefined
  let error: ChatError | undefined
  let isLoaded = conversationId === undefined
  let subscribers = 0
  let leave: (() => void) | undefined
  /** Replies that have begun while a message of this chat was on its way: one of them may be its own. */
  const begun = new Set<string>()
  let sending = 0
  const subject = createSubject(build())

  const update = () => subject.set(build())

  function build(): ChatSnapshot {
    const states = [...replies.values()].map(({ state }) => state.snapshot())
    const known = new Set(states.flatMap(({ id, message }) => [id, message.id]))
    const messages = [
      ...stored.filter(({ id }) => !known.has(id)),
      ...states.flatMap(messagesOf),
      ...unsent.map(({ text }, index) => userMessage(`unsent-${index}`, text)),
    ]
    const status = statusOf(states)
    return { conversationId, messages, status, error, hasEarlier: earlier !== undefined }
  }

  function statusOf(states: readonly ReplyState[]): ChatStatus {
    if (!isLoaded && !error) return 'loading'
    const open = states.find(isOpen)
    if (open?.status === 'ACTION_REQUIRED') return 'action-required'
    if (open) return open.text === '' && open.reasoning === '' ? 'submitted' : 'streaming'
    if (sending > 0) return 'submitted'
    return error ? 'failed' : 'ready'
  }

  function adopt(reply: ChatReply): void {
    if (replies.has(reply.id)) return
    replies.set(reply.id, reply)
    reply.state.subscribe(update)
    reply.done.catch((reason: unknown) => {
      error = toChatError(reason)
      update()
    })
    update()
  }

  async function attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action()
    } catch (reason) {
      error = toChatError(reason)
    }
    update()
  }

  async function load(id: string): Promise<void> {
    const conversation = client.conversation(id)
    // The open ones first: a reply that ends between the two is then among the stored messages, and not missed.
    const open = await conversation.openReplies()
    const { nodes, pageInfo } = await conversation.messages()
    stored = nodes.map(storedMessage)
    earlier = pageInfo.hasPreviousPage ? (pageInfo.startCursor ?? undefined) : undefined
    isLoaded = true
    open.forEach(adopt)
  }

  /** Follows a reply that has begun elsewhere, if it is one of this conversation. */
  async function join(replyId: string): Promise<void> {
    if (replies.has(replyId)) return
    const reply = await client.follow(replyId)
    if (reply.conversationId === conversationId) adopt(reply)
  }

  async function send(text: string, sendOptions?: MessageOptions): Promise<void> {
    const message = { text, options: sendOptions }
    unsent = [...unsent, message]
    error = undefined
    sending += 1
    update()
    await attempt(async () => {
      const id = conversationId ?? (await (starting ??= begin()))
      const reply = await client.conversation(id).send(text, sendOptions)
      unsent = unsent.filter((one) => one !== message)
      adopt(reply)
    })
    sending -= 1
    update()
    if (sending > 0) return
    const missed = [...begun]
    begun.clear()
    for (const replyId of missed) await attempt(() => join(replyId))
  }

  async function begin(): Promise<string> {
    const { assistantId } = options
    try {
      const started = await startConversation(client, assistantId ? { assistantId } : {})
      return (conversationId = started.id)
    } finally {
      starting = undefined
    }
  }

  const chat: Chat = {
    snapshot: () => subject.snapshot(),
    subscribe(listener) {
      const forget = subject.subscribe(listener)
      subscribers += 1
      if (subscribers === 1) {
        const id = conversationId
        if (id !== undefined) void attempt(() => load(id))
        leave = client.onEvent(({ __typename, replyId }) => {
          if (__typename !== 'ReplyStarted' || conversationId === undefined) return
          if (sending > 0) begun.add(replyId)
          else void attempt(() => join(replyId))
        })
      }
      return () => {
        forget()
        subscribers -= 1
        if (subscribers === 0) leave?.()
      }
    },
    send,
    async stop() {
      const open = [...replies.values()].filter(({ state }) => isOpen(state.snapshot()))
      await attempt(() => Promise.all(open.map((reply) => reply.cancel())))
    },
    async regenerate() {
      if (sending > 0) return
      const last = subject.snapshot().messages.findLast(({ role }) => role === 'USER')
      const failed = unsent.at(-1)
      unsent = unsent.slice(0, -1)
      if (last !== undefined) await send(last.text, failed?.options)
    },
    async submitToolOutputs(outputs, replyId) {
      const waiting = [...replies.values()].find(({ status }) => status === 'ACTION_REQUIRED')
      const id = replyId ?? waiting?.id
      if (id !== undefined) await attempt(() => client.submitToolOutputs(id, outputs))
    },
    async loadEarlier() {
      const before = earlier
      const id = conversationId
      if (before === undefined || id === undefined) return
      await attempt(async () => {
        const { nodes, pageInfo } = await client.conversation(id).messages({ last: 20, before })
        if (earlier !== before) return
        stored = [...nodes.map(storedMessage), ...stored]
        earlier = pageInfo.hasPreviousPage ? (pageInfo.startCursor ?? undefined) : undefined
      })
    },
  }
  return chat
}

function storedMessage({ id, role, text, rating, attachments, reply }: Message): ChatMessage {
  const isUser = role === 'USER'
  const key = isUser ? id : reply.id
  return { id: key, role, text, reply: undefined, messageId: id, rating, attachments }
}

function userMessage(id: string, text: string): ChatMessage {
  const nothing = { reply: undefined, messageId: undefined, rating: null, attachments: [] }
  return { id, role: 'USER', text, ...nothing }
}

function messagesOf(reply: ReplyState): readonly ChatMessage[] {
  const { id, message, text, answer } = reply
  const assistant = { ...userMessage(id, text), role: 'ASSISTANT', reply } as const
  return [userMessage(message.id, message.text), { ...assistant, messageId: answer?.id }]
}

function toChatError(reason: unknown): ChatError {
  if (reason instanceof ChatError) return reason
  return new ChatError({
    code: 'INTERNAL_SERVER_ERROR',
    message: 'The chat has failed.',
    cause: reason,
  })
}
