import { type ChatError, clientError, refuse, toChatError } from './chat-error.ts'
import * as documents from './documents.ts'
import {
  createGateway,
  type Gateway,
  type GatewayOptions,
  type StreamReader,
  type Variables,
} from './gateway.ts'
import { createSubject, type Observable } from './observable.ts'
import { type ChatReply, createReply, type FollowedReply, type SendOptions } from './reply.ts'
import type { Message, Page, PageArguments, ReplyEvent, ReplyState, ToolOutput } from './schema.ts'
import type { Position } from './transport.ts'

export interface ChatClientOptions extends GatewayOptions {
  /** Called when the stream has ended for good; the replies that were followed reject with the same error. */
  readonly onError?: (error: ChatError) => void
}

export interface Connection {
  /** `idle`: nothing is followed. `waiting`: until the next attempt. `failed`: until something is followed anew. */
  readonly status: 'idle' | 'connecting' | 'open' | 'waiting' | 'failed'
  readonly error?: ChatError
}

export interface ChatConversation {
  readonly id: string
  /** Default: the last 20, oldest first. */
  messages(page?: PageArguments): Promise<Page<Message>>
  send(
    text: string,
    options?: Omit<SendOptions, 'conversationId' | 'assistantId'>,
  ): Promise<ChatReply>
  /** The replies that are not at their end, in the order in which they run. */
  openReplies(): Promise<readonly ChatReply[]>
}

export interface ChatClient extends Gateway {
  /** Resolves when the message is stored. The reply goes on by itself. */
  send(text: string, options?: SendOptions): Promise<ChatReply>
  /** Follows a reply that was begun elsewhere, such as before a reload. */
  follow(replyId: string): Promise<ChatReply>
  cancel(replyId: string): Promise<ReplyState>
  submitToolOutputs(replyId: string, outputs: readonly ToolOutput[]): Promise<ReplyState>
  /** Makes no request. */
  conversation(id: string): ChatConversation
  /** Calls with each event of the session from now on, on any device. Returns a function that stops it. */
  onEvent(listener: (event: ReplyEvent) => void): () => void
  /** Resolves when no later event of the session will be missed by the stream. */
  position(): Promise<Position>
  readonly connection: Observable<Connection>
  /** Ends the stream and what waits for it. Replies go on without their readers. */
  close(): void
}

/**
 * A client of one session: it sends messages and follows their replies over one stream, which resumes by itself.
 * @example
 * const chat = createChatClient({ url: '/graphql', token: () => token, transport: browserTransport() })
 * const reply = await chat.send('hello')
 * for await (const text of reply.text) console.log(text)
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  const gateway = createGateway(options)
  const { query, mutate } = gateway
  /** The replies that are not at their end. */
  const followed = new Map<string, FollowedReply>()
  const listeners = new Set<(event: ReplyEvent) => void>()
  const connection = createSubject<Connection>({ status: 'idle' })
  /** Events that came while a state was read, or before the response to the message. */
  const held: ReplyEvent[] = []
  let reading = 0
  let sending = 0
  let isRunning = false
  let isClosed = false
  /** The last whole event, after which the stream goes on. */
  let cursor: string | undefined
  /** Known once there is a cursor. */
  let viewer: Position
  let positioning: Promise<unknown> | undefined

  const isWanted = () => !isClosed && sending + followed.size + listeners.size > 0

  const become = (status: Connection['status']) => connection.set({ status })

  /** Reads the stream of the session for as long as it is wanted. */
  async function run(): Promise<void> {
    if (isRunning || !isWanted()) return
    let error: ChatError | undefined
    isRunning = true
    try {
      while (isWanted()) await gateway.stream(reader)
    } catch (cause) {
      error = toChatError(cause)
    }
    isRunning = false
    if (!error) return become('idle')
    connection.set({ status: 'failed', error })
    failAll(error)
    options.onError?.(error)
  }

  const reader: StreamReader<{ readonly replies: ReplyEvent }> = {
    query: documents.sessionEvents,
    isWanted,
    async start() {
      become('connecting')
      const at = await position()
      return [{ after: cursor }, at]
    },
    alive: () => connection.snapshot().status === 'open' || become('open'),
    next({ data: { replies: event } }) {
      cursor = event.cursor
      for (const listener of listeners) listener(event)
      deliver(event)
    },
    lost({ code, retryable, resumeAfter }) {
      // The position could not be read, for which enough was tried.
      if (!cursor) return false
      if (!retryable) cursor = resumeAfter
      become('waiting')
      return retryable || /^(SUBSCRIPTION|BAD_USER|INTERNAL)_/.test(code)
    },
  }

  function failAll(error: ChatError): void {
    for (const reply of followed.values()) reply.fail(error)
  }

  async function position(): Promise<Position> {
    if (!cursor) await (positioning ??= read().finally(() => (positioning = undefined)))
    return viewer
  }

  function deliver(event: ReplyEvent): void {
    const reply = reading ? undefined : followed.get(event.replyId)
    if (reply) reply.take(event)
    else if (reading + sending) held.push(event)
  }

  /** Delivers what was held, and closes the stream if it is not wanted any more. */
  function release(): void {
    held.splice(0).forEach(deliver)
    if (!isWanted()) gateway.wake(false)
  }

  /** Reads the states of all replies that are followed, and of another one. */
  async function read(id?: string) {
    const ids = [...followed.keys(), ...(id ? [id] : [])]
    reading += 1
    try {
      const found = await query<{
        readonly viewer: Position
        readonly nodes: readonly (ReplyState | null)[]
      }>(documents.position, { ids })
      viewer = found.viewer
      const { eventCursor } = viewer
      cursor ??= eventCursor
      return ids.map((one, index) => {
        const state = found.nodes[index]
        const known = followed.get(one)
        if (state) {
          known?.restore(state, eventCursor)
          return adopt(state, eventCursor)
        }
        known?.fail(clientError('NOT_FOUND'))
        return undefined
      })
    } finally {
      reading -= 1
      release()
    }
  }

  /** Follows a reply to its end. */
  function adopt(state: ReplyState, at = ''): ChatReply {
    const { id } = state
    const known = followed.get(id)
    if (known) return known.reply
    const created = createReply(state, at, { cancel, submitToolOutputs })
    const leave = () => {
      followed.delete(id)
      release()
    }
    created.reply.done.then(leave, leave)
    if (created.isOpen) {
      followed.set(id, created)
      void run()
    }
    return created.reply
  }

  async function send(
    text: string,
    { parameters, metadata, idempotencyKey = newKey(), ...more }: SendOptions = {},
  ): Promise<ChatReply> {
    sending += 1
    void run()
    try {
      await position()
      const input = {
        ...more,
        text,
        idempotencyKey,
        parameters: namesAndValues(parameters),
        metadata: namesAndValues(metadata),
      }
      return adopt(
        (await mutate<{ reply: ReplyState }>('sendMessage', input, documents.reply)).reply,
      )
    } finally {
      sending -= 1
      release()
    }
  }

  async function follow(id: string): Promise<ChatReply> {
    return followed.get(id)?.reply ?? (await read(id)).at(-1) ?? refuse('NOT_FOUND')
  }

  const change = async (name: string, input: Variables) =>
    (await mutate<{ reply: ReplyState }>(name, input, documents.reply)).reply
  const cancel = (replyId: string) => change('cancelReply', { replyId })
  const submitToolOutputs = (replyId: string, outputs: readonly ToolOutput[]) =>
    change('submitToolOutputs', { replyId, outputs })

  const stopWake = options.transport.onWake?.((isNewNetwork) => {
    gateway.wake(isNewNetwork)
    void run()
  })

  return {
    ...gateway,
    send,
    follow,
    cancel,
    submitToolOutputs,
    position,
    connection,
    conversation: (id) => {
      const find = async (document: string, page?: object) => {
        const found = await query<{ readonly conversation: FoundConversation | null }>(document, {
          id,
          ...page,
        })
        return found.conversation ?? refuse('NOT_FOUND')
      }
      return {
        id,
        messages: async (page = { last: 20 }) => (await find(documents.messages, page)).messages,
        openReplies: async () =>
          Promise.all(
            (await find(documents.openReplies)).openReplies.map((open) => follow(open.id)),
          ),
        send: (text, more) => send(text, { ...more, conversationId: id }),
      }
    },
    onEvent(listener) {
      listeners.add(listener)
      void run()
      return () => {
        listeners.delete(listener)
        release()
      }
    },
    close() {
      stopWake?.()
      isClosed = true
      failAll(clientError('CLOSED'))
      gateway.close()
    },
  }
}

interface FoundConversation {
  readonly messages: Page<Message>
  readonly openReplies: readonly { readonly id: string }[]
}

/** A key that the session has not used. It is no secret. `crypto.randomUUID` is missing in mini-programs and on plain http. */
export function newKey(): string {
  return `${Math.random()}${Math.random()}`
}

function namesAndValues(record: Readonly<Record<string, unknown>> | undefined) {
  return record && Object.entries(record).map(([name, value]) => ({ name, value }))
}
