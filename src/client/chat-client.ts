import { ChatError, notFound } from './chat-error.ts'
import { attachmentFields, type Conversations, createConversations } from './conversations.ts'
import { fetchTransport } from './fetch-transport.ts'
import type { Observable } from './observable.ts'
import { type Platform, systemPlatform } from './platform.ts'
import { type ChatReply, createReply, type FollowedReply, type SendOptions } from './reply.ts'
import { createRequests, type Requests } from './requests.ts'
import type {
  Assistant,
  Attachment,
  Rating,
  ReplyEvent,
  ReplyState,
  ToolOutput,
  Viewer,
} from './schema.ts'
import { type Connection, openSessionStream, type Position } from './session-stream.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'
import type { Transport, UploadProgress } from './transport.ts'

export interface ChatClientOptions {
  /** The address of the gateway's GraphQL, such as `/graphql`. */
  readonly url: string
  /** The bearer token, asked for before each request and each connection. Without one the cookie is used. */
  readonly token?: () => string | undefined | Promise<string | undefined>
  /** Default: `fetchTransport()`. */
  readonly transport?: Transport
  readonly headers?: Readonly<Record<string, string>>
  /** Called when the stream has ended for good; the replies that were followed reject with the same error. */
  readonly onError?: (error: ChatError) => void
  /** Attempts without progress before a request or the stream fails. Default 10, about a minute and a half. */
  readonly maxAttempts?: number
  /** For tests. */
  readonly platform?: Platform
}

export interface ChatClient
  extends Conversations, Pick<Subscriptions, 'subscribe'>, Pick<Requests, 'execute'> {
  /** Resolves when the message is stored. The reply goes on by itself. */
  send(text: string, options?: SendOptions): Promise<ChatReply>
  /** Follows a reply that was begun elsewhere, such as before a reload. */
  follow(replyId: string): Promise<ChatReply>
  cancel(replyId: string): Promise<ReplyState>
  submitToolOutputs(replyId: string, outputs: readonly ToolOutput[]): Promise<ReplyState>
  upload(
    file: unknown,
    options?: {
      readonly assistantId?: string
      readonly onProgress?: (progress: UploadProgress) => void
    },
  ): Promise<Attachment>
  /** `messageId`: of the answer. */
  rate(
    messageId: string,
    rating: Rating,
    options?: { readonly reasons?: readonly string[]; readonly comment?: string },
  ): Promise<void>
  removeRating(messageId: string): Promise<void>
  assistants(): Promise<readonly Assistant[]>
  viewer(): Promise<Viewer>
  /** Calls with each event of the session from now on, on any device. Returns a function that stops it. */
  onEvent(listener: (event: ReplyEvent) => void): () => void
  /** The data of any other query or mutation. */
  query<Data>(document: string, variables?: Readonly<Record<string, unknown>>): Promise<Data>
  readonly connection: Observable<Connection>
  /** Ends the stream and what waits for it. Replies go on without their readers. */
  close(): void
}

const toolCallFields = 'toolCalls{callId kind name arguments}'
const replyFields = `id status text reasoning queuePosition followUps question{text options fields{name type isRequired}}omitted ${toolCallFields}actionExpiresAt contextReset upstreamCancelled usage{inputTokens outputTokens totalTokens}failure{code message retryable retryAfterMs}conversation{id}message{id text}answer{id}`
const reply = `reply{${replyFields}}`
const limit = '{limit remaining resetAt}'

interface Joining {
  found?: FollowedReply
  reply?: Promise<ChatReply>
}

/**
 * A client of one session: it sends messages and follows their replies over one stream, which resumes by itself.
 * @example
 * const chat = createChatClient({ url: '/graphql', token: () => token })
 * const reply = await chat.send('hello')
 * for await (const text of reply.text) console.log(text)
 */
export function createChatClient({
  url,
  token = () => undefined,
  transport = fetchTransport(),
  headers: ownHeaders,
  onError,
  maxAttempts = 10,
  platform = systemPlatform,
}: ChatClientOptions): ChatClient {
  /** The replies that are not at their end. */
  const followed = new Map<string, FollowedReply>()
  /** Replies that are to be followed and are not known yet. */
  const joining = new Map<string, Joining>()
  const listeners = new Set<(event: ReplyEvent) => void>()
  /** Events of replies whose `sendMessage` may not have returned yet. */
  const unclaimed: ReplyEvent[] = []
  let sending = 0

  async function headers() {
    const bearer = await token()
    return { ...ownHeaders, ...(bearer && { authorization: `Bearer ${bearer}` }) }
  }
  const surroundings = { url, transport, platform, headers, maxAttempts }
  const requests = createRequests(surroundings)
  const { execute, mutate } = requests
  const query = async <Data>(document: string, variables?: Readonly<Record<string, unknown>>) =>
    (await execute<Data>(document, variables)).data
  const newKey = () => newIdempotencyKey(platform.random)
  const stream = openSessionStream({
    ...surroundings,
    readPosition,
    take(event) {
      for (const listener of listeners) listener(event)
      const reply = followed.get(event.replyId)
      if (reply) reply.take(event)
      else if (sending > 0) unclaimed.push(event)
    },
    fail(error) {
      for (const reply of followed.values()) reply.fail(error)
      onError?.(error)
    },
  })
  const subscriptions = createSubscriptions(surroundings, stream)
  const stopWake = transport.onWake?.((isNewNetwork) => {
    stream.wake(isNewNetwork)
    subscriptions.wake(isNewNetwork)
  })

  async function readPosition(): Promise<Position> {
    const ids = [...new Set([...followed.keys(), ...joining.keys()])]
    const { viewer, nodes } = await query<{
      readonly viewer: Pick<Viewer, 'sessionFingerprint' | 'eventCursor' | 'keepAliveMs'>
      readonly nodes: readonly (ReplyState | null)[]
    }>(
      `query($ids:[ID!]!){viewer{sessionFingerprint eventCursor keepAliveMs}nodes(ids:$ids){...on Reply{${replyFields}}}}`,
      { ids },
    )
    const { eventCursor: cursor, keepAliveMs, sessionFingerprint: fingerprint } = viewer
    for (const [index, id] of ids.entries()) {
      const state = nodes[index]
      const known = followed.get(id)
      if (!state) {
        known?.fail(notFound())
        continue
      }
      known?.restore(state, cursor)
      const joined = joining.get(id)
      if (joined) joined.found = known ?? adopt(state, cursor)
    }
    return { cursor, keepAliveMs, fingerprint }
  }

  /** Follows a reply to its end. */
  function adopt(state: ReplyState, cursor = ''): FollowedReply {
    const { id } = state
    const known = followed.get(id)
    if (known) return known
    const created = createReply(state, cursor, { cancel, submitToolOutputs })
    if (!created.isOpen) return created
    followed.set(id, created)
    const release = stream.want()
    const stop = created.reply.state.subscribe(() => {
      if (created.isOpen) return
      stop()
      followed.delete(id)
      release()
    })
    for (const event of unclaimed) if (event.replyId === id) created.take(event)
    return created
  }

  async function send(
    text: string,
    { parameters, metadata, idempotencyKey = newKey(), ...more }: SendOptions = {},
  ): Promise<ChatReply> {
    const release = stream.want()
    sending += 1
    try {
      await stream.position()
      const input = {
        ...more,
        text,
        idempotencyKey,
        parameters: namesAndValues(parameters),
        metadata: namesAndValues(metadata),
      }
      const sent = await mutate<{ reply: ReplyState }>('sendMessage', reply, input)
      return adopt(sent.reply).reply
    } finally {
      sending -= 1
      if (sending === 0) unclaimed.length = 0
      release()
    }
  }

  async function follow(replyId: string): Promise<ChatReply> {
    const known = followed.get(replyId)
    if (known) return known.reply
    const joined = joining.get(replyId) ?? {}
    joining.set(replyId, joined)
    return await (joined.reply ??= join(replyId, joined))
  }

  async function join(replyId: string, joined: Joining): Promise<ChatReply> {
    const release = stream.want()
    try {
      // The first of these may have been asked before this reply joined.
      await stream.position()
      if (!joined.found) await stream.position(true)
      if (!joined.found) throw notFound()
      return joined.found.reply
    } finally {
      joining.delete(replyId)
      release()
    }
  }

  async function cancel(replyId: string): Promise<ReplyState> {
    return (await mutate<{ reply: ReplyState }>('cancelReply', reply, { replyId })).reply
  }

  async function submitToolOutputs(
    replyId: string,
    outputs: readonly ToolOutput[],
  ): Promise<ReplyState> {
    const input = { replyId, outputs }
    return (await mutate<{ reply: ReplyState }>('submitToolOutputs', reply, input)).reply
  }

  return {
    send,
    follow,
    ...createConversations({ query, mutate, newKey, send, follow }),
    cancel,
    submitToolOutputs,
    query,
    execute,
    subscribe: subscriptions.subscribe,
    connection: stream.connection,
    async upload(file, { onProgress, ...input } = {}) {
      const selection = `attachment{${attachmentFields}}`
      const sent = { file, onProgress }
      return (
        await requests.upload<{ attachment: Attachment }>('uploadFile', selection, input, sent)
      ).attachment
    },
    async rate(messageId, rating, options) {
      await mutate('rateAnswer', '__typename', { messageId, rating, ...options })
    },
    async removeRating(messageId) {
      await mutate('removeRating', '__typename', { messageId })
    },
    async assistants() {
      const document = `{assistants{id name isAvailable greeting suggestedOpenings parameterNames metadataNames acceptsAttachments imageHosts}}`
      return (await query<{ assistants: Assistant[] }>(document)).assistants
    },
    async viewer() {
      const document = `{viewer{sessionFingerprint isGuest isOperator credentialExpiresAt eventCursor keepAliveMs limits{messages${limit}openReplies${limit}uploads${limit}maxMessageLength maxAttachments maxUploadByteSize uploadMediaTypes}}}`
      return (await query<{ viewer: Viewer }>(document)).viewer
    },
    onEvent(listener) {
      listeners.add(listener)
      const release = stream.want()
      return () => {
        listeners.delete(listener)
        release()
      }
    },
    close() {
      requests.close()
      stopWake?.()
      stream.close()
      subscriptions.close()
      const error = new ChatError({ code: 'CLOSED', message: 'The client is closed.' })
      for (const open of followed.values()) open.fail(error)
    },
  }
}

function namesAndValues(record: Readonly<Record<string, unknown>> | undefined) {
  return record && Object.entries(record).map(([name, value]) => ({ name, value }))
}

/** A key that the session has not used. It is no secret. `crypto.randomUUID` is missing in mini-programs and on plain http. */
function newIdempotencyKey(random: () => number): string {
  return Array.from({ length: 4 }, () => random().toString(36).slice(2)).join('')
}
