import {
  type Assistant,
  type Attachment,
  type ChatClient,
  ChatError,
  type ChatErrorCode,
  type ChatReply,
  type Conversation,
  createChatClient,
  fetchTransport,
  type Message,
  type Rating,
  type ReplyState,
  type ToolOutput,
  type Viewer,
} from '../../client/client.ts'
import { facts, redraw } from '../page.ts'
import { createCuttableFetch } from './connection.ts'

/** A message of the user and what became of it. */
export interface Turn {
  readonly replyId: string
  readonly text: string
  readonly attachments: readonly Attachment[]
  /** Undefined: the answer is whole, and was read with the history. */
  readonly reply: ChatReply | undefined
  readonly answer: Pick<Message, 'id' | 'text'> | undefined
  readonly rating: Rating | null
}

/** A file on its way to the gateway, or there. */
export interface ChosenFile {
  readonly name: string
  readonly percent: number
  readonly attachment: Attachment | undefined
}

/** One user's side of the page. */
export interface Pane {
  readonly name: string
  /** What to say to begin with. */
  readonly suggestions: readonly string[]
  readonly chat: ChatClient
  readonly viewer: Viewer | undefined
  readonly conversations: readonly Conversation[]
  readonly conversationId: string | undefined
  readonly turns: readonly Turn[]
  readonly isLoading: boolean
  readonly hasOlder: boolean
  readonly files: readonly ChosenFile[]
  readonly error: ChatErrorCode | undefined
  /** Shows the conversations with another assistant. */
  choose(assistant: Assistant): Promise<void>
  /** Undefined: a new one. */
  open(conversationId: string | undefined): Promise<void>
  older(): Promise<void>
  /** Returns whether the message was stored. */
  send(text: string): Promise<boolean>
  stop(): Promise<void>
  submit(reply: ChatReply, outputs: readonly ToolOutput[]): Promise<void>
  rate(turn: Turn, rating: Rating): Promise<void>
  attach(files: Iterable<File>): Promise<void>
  detach(file: ChosenFile): void
  cut(): void
}

export interface Caller {
  readonly name: string
  readonly token: string
  readonly suggestions?: readonly string[]
}

const pageSize = 30

export function createPane(
  { name, token, suggestions = [] }: Caller,
  announce: (turn: Turn) => void,
): Pane {
  const { fetch, cut } = createCuttableFetch(name)
  const chat = createChatClient({
    url: facts.graphql,
    token: () => token,
    transport: fetchTransport({ fetch }),
    onError: ({ code }) => fail(code),
  })
  let assistant: Assistant | undefined
  let viewer: Viewer | undefined
  let conversations: readonly Conversation[] = []
  let conversationId: string | undefined
  /** Whether the user has asked for a conversation that is not there yet. */
  let isNew = false
  let turns: readonly Turn[] = []
  let olderCursor: string | null = null
  let files: readonly ChosenFile[] = []
  let error: ChatErrorCode | undefined
  /** The conversation that is being read. What is said meanwhile is sent after it. */
  let loading: Promise<unknown> | undefined
  let sending: Promise<unknown> = Promise.resolve()

  chat.connection.subscribe(redraw)
  chat.onEvent(({ __typename, replyId }) => {
    if (__typename === 'ReplyStarted') void attempt(() => join(replyId))
  })

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

  async function load(work: () => Promise<void>): Promise<void> {
    const mine = attempt(work)
    loading = mine
    await mine
    if (loading === mine) loading = undefined
    redraw()
  }

  /** Takes up a reply that was begun in another tab or on another device. */
  async function join(replyId: string): Promise<void> {
    // It may be the reply to what is being sent here.
    await sending
    if (turns.some((turn) => turn.replyId === replyId)) return
    const reply = await chat.follow(replyId)
    await readConversations()
    const isOurs = conversations.some(({ id }) => id === reply.conversationId)
    if (conversationId === undefined && !isNew && isOurs) conversationId = reply.conversationId
    if (reply.conversationId === conversationId) add(reply)
  }

  function add(reply: ChatReply, attachments: readonly Attachment[] = []): void {
    const { id: replyId } = reply
    if (turns.some((turn) => turn.replyId === replyId)) return
    const { text } = reply.state.snapshot().message
    watch({ replyId, text, attachments, reply, answer: undefined, rating: null })
  }

  function watch(turn: Turn): void {
    turns = [...turns.filter(({ replyId }) => replyId !== turn.replyId), turn]
    turn.reply?.state.subscribe(() => {
      announce(turn)
      redraw()
    })
    redraw()
  }

  async function readConversations(): Promise<void> {
    const { nodes } = await chat.conversations({ first: pageSize })
    conversations = nodes.filter((one) => one.assistant?.id === assistant?.id)
  }

  async function readMessages(id: string, before?: string): Promise<readonly Turn[]> {
    const range = before === undefined ? {} : { before }
    const { nodes, pageInfo } = await chat.conversation(id).messages({ last: pageSize, ...range })
    olderCursor = pageInfo.hasPreviousPage ? pageInfo.startCursor : null
    const found: Turn[] = []
    for (const { role, reply, ...message } of nodes) {
      const asked = found.find(({ replyId }) => replyId === reply.id)
      if (role === 'USER' || asked === undefined) {
        const { text, attachments } = message
        const turn = { replyId: reply.id, text, attachments, rating: null }
        found.push({ ...turn, reply: undefined, answer: undefined })
      } else {
        const { id: answerId, text, rating } = message
        found[found.indexOf(asked)] = { ...asked, answer: { id: answerId, text }, rating }
      }
    }
    return found
  }

  async function show(id: string | undefined): Promise<void> {
    conversationId = id
    turns = []
    olderCursor = null
    if (id === undefined) return
    const found = await readMessages(id)
    if (conversationId !== id) return
    turns = found
    redraw()
    // The last one may ask something, and those without an answer are open, stopped or failed.
    const unread = found.filter((turn, index) => !turn.answer || index === found.length - 1)
    for (const turn of unread) {
      const reply = await chat.follow(turn.replyId)
      if (conversationId !== id) return
      turns = turns.map((one) => (one.replyId === turn.replyId ? { ...one, reply } : one))
      reply.state.subscribe(() => {
        announce({ ...turn, reply })
        redraw()
      })
    }
  }

  return {
    name,
    suggestions,
    chat,
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
      return turns
    },
    get isLoading() {
      return loading !== undefined
    },
    get hasOlder() {
      return olderCursor !== null
    },
    get files() {
      return files
    },
    get error() {
      return error
    },
    async choose(next) {
      assistant = next
      isNew = false
      await load(async () => {
        viewer ??= await chat.viewer()
        await readConversations()
        await show(conversations[0]?.id)
      })
    },
    async open(id) {
      isNew = id === undefined
      await load(() => show(id))
    },
    async older() {
      const [id, before] = [conversationId, olderCursor]
      if (id === undefined || before === null) return
      await attempt(async () => {
        const found = await readMessages(id, before)
        if (conversationId === id) turns = [...found, ...turns]
      })
    },
    async send(text) {
      const attachments = files.flatMap(({ attachment }) => attachment ?? [])
      const attachmentIds = attachments.map(({ id }) => id)
      const sent = attempt(async () => {
        await loading
        const assistantId = assistant?.id
        const about = assistantId === undefined ? {} : { assistantId }
        const id = conversationId ?? (isNew ? (await chat.startConversation(about)).id : undefined)
        const into = id === undefined ? {} : { conversationId: id }
        const reply = await chat.send(text, { ...about, ...into, attachmentIds })
        files = []
        isNew = false
        conversationId = reply.conversationId
        add(reply, attachments)
        return reply
      })
      sending = sent
      if ((await sent) === undefined) return false
      void attempt(readConversations)
      return true
    },
    async stop() {
      const open = turns.flatMap(({ reply }) =>
        reply && isOpen(reply.state.snapshot()) ? reply : [],
      )
      await attempt(() => Promise.all(open.map((reply) => reply.cancel())))
    },
    async submit(reply, outputs) {
      await attempt(() => reply.submitToolOutputs(outputs))
    },
    async rate(turn, rating) {
      const answerId = turn.answer?.id ?? turn.reply?.state.snapshot().answer?.id
      if (answerId === undefined) return
      const isTakenBack = turn.rating === rating
      await attempt(async () => {
        if (isTakenBack) await chat.removeRating(answerId)
        else await chat.rate(answerId, rating)
        turns = turns.map((one) =>
          one.replyId === turn.replyId ? { ...one, rating: isTakenBack ? null : rating } : one,
        )
      })
    },
    async attach(chosen) {
      for (const file of chosen) {
        let now: ChosenFile = { name: file.name, percent: 0, attachment: undefined }
        const become = (next: ChosenFile) => {
          files = files.map((one) => (one === now ? next : one))
          now = next
          redraw()
        }
        files = [...files, now]
        redraw()
        const attachment = await attempt(() =>
          chat.upload(file, {
            ...(assistant && { assistantId: assistant.id }),
            onProgress: ({ sentBytes, totalBytes }) =>
              become({ ...now, percent: Math.floor((sentBytes / totalBytes) * 100) }),
          }),
        )
        if (attachment) become({ ...now, percent: 100, attachment })
        else files = files.filter((one) => one !== now)
      }
      redraw()
    },
    detach(file) {
      files = files.filter((one) => one !== file)
      redraw()
    },
  }
}

export function isOpen({ status }: Pick<ReplyState, 'status'>): boolean {
  return status === 'QUEUED' || status === 'RUNNING' || status === 'ACTION_REQUIRED'
}
