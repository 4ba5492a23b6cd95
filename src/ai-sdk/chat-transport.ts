import type { ChatTransport, FileUIPart, UIMessage, UIMessageChunk } from 'ai'
import {
  type ChatClient,
  type ChatConversation,
  type ChatReply,
  type Message,
  startConversation,
  type ToolOutput,
  uploadFile,
} from '../client/client.ts'
import { chunksOf, type EarlierSteps } from './chunks.ts'

export interface ChatTransportOptions {
  /** The assistant of new conversations. Default: the first configured. */
  readonly assistantId?: string
  /**
   * Returns the conversation of a chat. Default: the one that was started under the id of the chat, which is started at the
   * first message.
   */
  readonly conversationOf?: (chatId: string) => Promise<ChatConversation>
}

export interface GatewayChatTransport extends ChatTransport<UIMessage> {
  /** The last messages of a chat, for `messages` of `useChat`. */
  loadMessages(chatId: string): Promise<UIMessage[]>
}

/**
 * A transport for `useChat` of the AI SDK, over a client of the gateway. A chat is a conversation, and the id of an assistant's
 * message is that of its reply.
 * @example
 * const client = createChatClient({ url: '/graphql', token: () => token, transport: browserTransport() })
 * const transport = createChatTransport(client)
 * const chat = useChat({ id: 'support', transport, resume: true })
 */
export function createChatTransport(
  client: ChatClient,
  options: ChatTransportOptions = {},
): GatewayChatTransport {
  const { assistantId } = options
  const assistant = assistantId === undefined ? {} : { assistantId }
  // The id of the chat is the key, so that a reload finds the conversation again.
  const startUnder = (idempotencyKey: string) =>
    startConversation(client, { idempotencyKey, ...assistant })
  const { conversationOf = startUnder } = options
  return {
    // A reply that is followed again begins with all its text.
    resumeStreamIsReplay: true,
    async sendMessages({ chatId, messages, abortSignal }) {
      const last = messages.at(-1)
      const conversation = await conversationOf(chatId)
      if (last?.role === 'assistant') {
        const outputs = outputsOf(last)
        await client.submitToolOutputs(last.id, outputs)
        const callIds = outputs.map(({ callId }) => callId)
        return streamOf(await client.follow(last.id), abortSignal, { text: textOf(last), callIds })
      }
      const files = last?.parts.filter((part) => part.type === 'file') ?? []
      const isOnWeb = ({ url }: FileUIPart) => url.startsWith('https:')
      const attachments = await Promise.all(
        files
          .filter((file) => !isOnWeb(file))
          .map(async (file) => await uploadFile(client, readFile(file), assistant)),
      )
      const reply = await conversation.send(textOf(last), {
        attachmentIds: attachments.map(({ id }) => id),
        imageUrls: files.filter(isOnWeb).map(({ url }) => url),
      })
      return streamOf(reply, abortSignal)
    },
    async reconnectToStream({ chatId, abortSignal }) {
      const conversation = await conversationOf(chatId)
      const [reply] = await conversation.openReplies()
      if (reply === undefined) return null
      // StrictMode mounts a component twice, and the first one gives up before the reply is known: that stops nothing.
      return streamOf(reply, abortSignal?.aborted === true ? undefined : abortSignal)
    },
    async loadMessages(chatId) {
      const conversation = await conversationOf(chatId)
      return (await conversation.messages()).nodes.map(messageOf)
    },
  }
}

function streamOf(
  reply: ChatReply,
  abortSignal: AbortSignal | undefined,
  earlier?: EarlierSteps,
): ReadableStream<UIMessageChunk> {
  // Not when the page is closed: the reply goes on, and is there after a reload.
  const stop = () => void reply.cancel().catch(() => undefined)
  if (abortSignal?.aborted) stop()
  abortSignal?.addEventListener('abort', stop)
  const chunks = chunksOf(reply, earlier)
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (!done) return controller.enqueue(value)
      abortSignal?.removeEventListener('abort', stop)
      controller.close()
    },
  })
}

function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? [])
    .flatMap((part) => (part.type === 'text' ? [part.text] : []))
    .join('')
}

/** The outputs of the tools that the last step of a message has called. */
function outputsOf({ parts }: UIMessage): readonly ToolOutput[] {
  const lastStep = parts.slice(parts.findLastIndex(({ type }) => type === 'step-start') + 1)
  return lastStep.flatMap((part) => {
    if (part.type !== 'dynamic-tool') return []
    if (part.state === 'output-error') return [{ callId: part.toolCallId, output: part.errorText }]
    if (part.state !== 'output-available') return []
    const { toolCallId: callId, output } = part
    return [{ callId, output: typeof output === 'string' ? output : JSON.stringify(output) }]
  })
}

/** What the AI SDK makes of a chosen file is a data URL in base64. */
function readFile({ url, mediaType, filename = 'file' }: FileUIPart): File {
  const [, base64] = /^data:[^,]*;base64,(.*)$/s.exec(url) ?? []
  if (base64 === undefined)
    throw new TypeError('a file must be an https URL or a data URL in base64')
  const bytes = Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0))
  return new File([bytes], filename, { type: mediaType })
}

function messageOf({ id, role, text, reply }: Message): UIMessage {
  const parts: UIMessage['parts'] = [{ type: 'text', text, state: 'done' }]
  return role === 'USER' ? { id, role: 'user', parts } : { id: reply.id, role: 'assistant', parts }
}
