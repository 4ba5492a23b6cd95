import {
  type Attachment,
  type ChatClient,
  type ChatReply,
  type Message,
  rateAnswer,
  type Rating,
  removeRating,
  type ReplyState,
} from '../../client/client.ts'
import { redraw } from '../page.ts'

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

/** What one conversation shows. Another conversation has another transcript, so that a late response cannot come into it. */
export interface Transcript {
  /** Oldest first. */
  readonly turns: readonly Turn[]
  readonly hasOlder: boolean
  /** Reads the last messages, and follows the replies that are not at their end. */
  load(): Promise<void>
  older(): Promise<void>
  /** Shows a reply at the end. `attachments`: of its message. */
  add(reply: ChatReply, attachments?: readonly Attachment[]): void
  stop(): Promise<void>
  rate(turn: Turn, rating: Rating): Promise<void>
}

const pageSize = 30

/** @param conversationId undefined: of a conversation that begins with its first message. */
export function createTranscript(
  chat: ChatClient,
  conversationId: string | undefined,
  announce: (turn: Turn) => void,
): Transcript {
  let turns: readonly Turn[] = []
  let olderCursor: string | null = null

  async function read(id: string, before?: string): Promise<readonly Turn[]> {
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

  function change(replyId: string, news: Partial<Turn>): void {
    turns = turns.map((turn) => (turn.replyId === replyId ? { ...turn, ...news } : turn))
    redraw()
  }

  function watch(turn: Turn, reply: ChatReply): void {
    change(turn.replyId, { reply })
    reply.state.subscribe(() => {
      announce({ ...turn, reply })
      redraw()
    })
  }

  return {
    get turns() {
      return turns
    },
    get hasOlder() {
      return olderCursor !== null
    },
    async load() {
      if (conversationId === undefined) return
      const found = await read(conversationId)
      const begun = turns.filter(({ replyId }) => !found.some((turn) => turn.replyId === replyId))
      turns = [...found, ...begun]
      redraw()
      // The last one may ask something, and those without an answer are open, stopped or failed.
      const unread = found.filter((turn, index) => !turn.answer || index === found.length - 1)
      await Promise.all(unread.map(async (turn) => watch(turn, await chat.follow(turn.replyId))))
    },
    async older() {
      if (conversationId === undefined || olderCursor === null) return
      turns = [...(await read(conversationId, olderCursor)), ...turns]
    },
    add(reply, attachments = []) {
      const { id: replyId } = reply
      if (turns.some((turn) => turn.replyId === replyId)) return
      const { text } = reply.state.snapshot().message
      const turn = { replyId, text, attachments, reply, answer: undefined, rating: null }
      turns = [...turns, turn]
      watch(turn, reply)
    },
    async stop() {
      const replies = turns.flatMap(({ reply }) => reply ?? [])
      const open = replies.filter(({ state }) => isOpen(state.snapshot()))
      await Promise.all(open.map((reply) => reply.cancel()))
    },
    async rate({ replyId, answer, reply, rating: before }, rating) {
      const answerId = answer?.id ?? reply?.state.snapshot().answer?.id
      if (answerId === undefined) return
      const isTakenBack = before === rating
      if (isTakenBack) await removeRating(chat, answerId)
      else await rateAnswer(chat, answerId, rating)
      change(replyId, { rating: isTakenBack ? null : rating })
    },
  }
}

export function isOpen({ status }: Pick<ReplyState, 'status'>): boolean {
  return status === 'QUEUED' || status === 'RUNNING' || status === 'ACTION_REQUIRED'
}
