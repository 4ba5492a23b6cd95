import {
  type Assistant,
  browserTransport,
  type ChatClient,
  ChatError,
  type ChatErrorCode,
  type ChatReply,
  type Conversation,
  createChatClient,
  listConversations,
  readViewer,
  startConversation,
  type ToolOutput,
  uploadFile,
  type Viewer,
} from '../../client/client.ts'
import { facts, redraw } from '../page.ts'
import { type ChosenFiles, createChosenFiles } from './chosen-files.ts'
import { createCuttableFetch } from './connection.ts'
import { createTranscript, type Transcript, type Turn } from './transcript.ts'

/** One user's side of the page. */
export interface Pane extends Pick<Transcript, 'turns' | 'hasOlder' | 'older' | 'stop' | 'rate'> {
  readonly name: string
  /** What to say to begin with. */
  readonly suggestions: readonly string[]
  readonly chat: ChatClient
  readonly viewer: Viewer | undefined
  readonly conversations: readonly Conversation[]
  readonly conversationId: string | undefined
  readonly isLoading: boolean
  readonly files: ChosenFiles
  readonly error: ChatErrorCode | undefined
  /** Shows the conversations with another assistant. */
  choose(assistant: Assistant): Promise<void>
  /** Undefined: a new one. */
  open(conversationId: string | undefined): Promise<void>
  /** Returns whether the message was stored. */
  send(text: string): Promise<boolean>
  submit(reply: ChatReply, outputs: readonly ToolOutput[]): Promise<void>
  cut(): void
}

export interface Caller {
  readonly name: string
  readonly token: string
  readonly suggestions?: readonly string[]
}

const maxConversations = 30

export function createPane(
  { name, token, suggestions = [] }: Caller,
  announce: (turn: Turn) => void,
): Pane {
  const { fetch, cut } = createCuttableFetch(name)
  const chat = createChatClient({
    url: facts.graphql,
    token: () => token,
    transport: browserTransport({ fetch }),
    onError: ({ code }) => fail(code),
  })
  let assistant: Assistant | undefined
  let viewer: Viewer | undefined
  let conversations: readonly Conversation[] = []
  let conversationId: string | undefined
  let transcript = createTranscript(chat, undefined, announce)
  /** Whether the user has asked for a conversation that is not there yet. */
  let isNew = false
  let error: ChatErrorCode | undefined
  /** What was last asked to be shown and is being read. What is said meanwhile is sent after it. */
  let loading: Promise<unknown> | undefined
  let sending: Promise<unknown> = Promise.resolve()
  const files = createChosenFiles((file, onProgress) =>
    attempt(() => uploadFile(chat, file, { ...aboutAssistant(), onProgress })),
  )

  chat.connection.subscribe(redraw)
  chat.onEvent(({ __typename, replyId }) => {
    if (__typename === 'ReplyStarted') void attempt(() => join(replyId))
  })

  const aboutAssistant = () => (assistant === undefined ? {} : { assistantId: assistant.id })

  function fail(code: ChatErrorCode): void {
    error = code
    redraw()
  }

  /** Shows what went wrong. */
  async function attempt<Value>(work: () => Promise<Value>): Promise<Value | undefined> {
    error = undefined
    try {
      return await work()
    } catch (cause) {
      if (!(cause instanceof ChatError)) throw cause
      fail(cause.code)
      return undefined
    } finally {
      redraw()
    }
  }

  /** @param work is told whether nothing else was asked for since. */
  async function load(work: (isLatest: () => boolean) => Promise<void>): Promise<void> {
    const mine: Promise<unknown> = attempt(() => work(() => loading === mine))
    loading = mine
    await mine
    if (loading === mine) loading = undefined
    redraw()
  }

  async function show(id: string | undefined): Promise<void> {
    conversationId = id
    transcript = createTranscript(chat, id, announce)
    await transcript.load()
  }

  /** Takes up a reply that was begun in another tab or on another device. */
  async function join(replyId: string): Promise<void> {
    // It may be the reply to what is being sent here.
    await sending
    if (transcript.turns.some((turn) => turn.replyId === replyId)) return
    const reply = await chat.follow(replyId)
    await readConversations()
    const isOurs = conversations.some(({ id }) => id === reply.conversationId)
    if (conversationId === undefined && !isNew && isOurs) conversationId = reply.conversationId
    if (reply.conversationId === conversationId) transcript.add(reply)
  }

  async function readConversations(): Promise<void> {
    const { nodes } = await listConversations(chat, { first: maxConversations })
    conversations = nodes.filter((one) => one.assistant?.id === assistant?.id)
  }

  async function say(text: string): Promise<ChatReply> {
    await loading
    const into = transcript
    const chosen = await files.whenThere()
    const attachments = chosen.flatMap(({ attachment }) => attachment ?? [])
    const about = aboutAssistant()
    const id = conversationId ?? (isNew ? (await startConversation(chat, about)).id : undefined)
    const reply = await chat.send(text, {
      ...about,
      ...(id !== undefined && { conversationId: id }),
      attachmentIds: attachments.map((one) => one.id),
    })
    for (const file of chosen) files.remove(file)
    into.add(reply, attachments)
    // Unless the user has gone on to another conversation.
    if (into === transcript) {
      conversationId = reply.conversationId
      isNew = false
    }
    return reply
  }

  return {
    name,
    suggestions,
    chat,
    files,
    cut,
    get viewer() {
      return viewer
    },
    get conversations() {
      return conversations
    },
    get conversationId() {
      return conversationId
    },
    get turns() {
      return transcript.turns
    },
    get hasOlder() {
      return transcript.hasOlder
    },
    get isLoading() {
      return loading !== undefined
    },
    get error() {
      return error
    },
    async choose(next) {
      assistant = next
      isNew = false
      await load(async (isLatest) => {
        viewer ??= await readViewer(chat)
        await readConversations()
        if (isLatest()) await show(conversations[0]?.id)
      })
    },
    async open(id) {
      isNew = id === undefined
      await load(() => show(id))
    },
    async send(text) {
      const sent = attempt(() => say(text))
      sending = sent
      if ((await sent) === undefined) return false
      void attempt(readConversations)
      return true
    },
    async older() {
      await attempt(() => transcript.older())
    },
    async stop() {
      await attempt(() => transcript.stop())
    },
    async submit(reply, outputs) {
      await attempt(() => reply.submitToolOutputs(outputs))
    },
    async rate(turn, rating) {
      await attempt(() => transcript.rate(turn, rating))
    },
  }
}
