import { StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { browserTransport, createChatClient, type ToolCall } from 'coze-graphql-gateway/client'
import { type ChatMessage, useChat } from 'coze-graphql-gateway/react'

// http://localhost:8000/?token=TOKEN: a page of yours asks its own backend for the token of its user.
const address = new URL(location.href)
const token = address.searchParams.get('token') ?? ''
const url = address.searchParams.get('url') ?? 'http://localhost:4000/graphql'
const client = createChatClient({ url, token: () => token, transport: browserTransport() })

function Chat() {
  // The conversation is in the address, so that a reload goes on with it.
  const conversationId = address.searchParams.get('conversation') ?? undefined
  const chat = useChat({ client, conversationId, assistantId: 'bot' })
  const { messages, status, error, hasEarlier } = chat
  const isBusy = status === 'submitted' || status === 'streaming'

  useEffect(() => {
    if (chat.conversationId === undefined) return
    address.searchParams.set('conversation', chat.conversationId)
    history.replaceState(null, '', address)
  }, [chat.conversationId])

  function submit(data: FormData) {
    const text = data.get('text')
    if (typeof text === 'string' && text.trim() !== '') void chat.send(text)
  }

  return (
    <>
      {hasEarlier && <button onClick={() => void chat.loadEarlier()}>Earlier messages</button>}
      <ol aria-live="polite" aria-busy={isBusy} style={{ listStyle: 'none', padding: 0 }}>
        {messages.map((message) => (
          <Message key={message.id} message={message} answer={answer} />
        ))}
      </ol>
      <p role="status">{error ? error.message : status}</p>
      <form action={submit}>
        <input name="text" aria-label="Message" autoComplete="off" autoFocus />
        <button>Send</button>
        {isBusy && (
          <button type="button" onClick={() => void chat.stop()}>
            Stop
          </button>
        )}
        <button type="button" onClick={() => void chat.regenerate()} disabled={isBusy}>
          Again
        </button>
      </form>
    </>
  )

  function answer({ callId }: ToolCall, data: FormData) {
    const output = data.get('output')
    if (typeof output === 'string') void chat.submitToolOutputs([{ callId, output }])
  }
}

interface MessageProps {
  readonly message: ChatMessage
  readonly answer: (call: ToolCall, data: FormData) => void
}

function Message({ message: { role, text, reply }, answer }: MessageProps) {
  return (
    <li className={role} style={{ whiteSpace: 'pre-wrap' }}>
      <strong>{role === 'USER' ? 'You' : 'Assistant'}</strong>
      {reply?.reasoning && <blockquote>{reply.reasoning}</blockquote>}
      <p>{text}</p>
      {reply?.status === 'ACTION_REQUIRED' &&
        reply.toolCalls.map((call) => (
          <form key={call.callId} action={(data) => answer(call, data)}>
            <label>
              {call.name ?? 'The assistant asks'} {call.arguments}
              <input name="output" />
            </label>
          </form>
        ))}
    </li>
  )
}

createRoot(document.querySelector('#chat') ?? document.body).render(
  <StrictMode>
    <Chat />
  </StrictMode>,
)
