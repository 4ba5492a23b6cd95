import type { Context, Dialect } from '../dialect.ts'
import type { RandomBytes } from '../ids.ts'
import { type SentMessage, textOf } from '../request.ts'
import type { PlatformConversation, PlatformMessage } from '../storage/records.ts'

/**
 * Stores a chat and the messages of its request: the question under the chat's own id, the earlier messages under other
 * ids. `/v3/chat` makes one earlier chat of all of them. A Workflow makes a later chat of each message of the user, all at
 * once, so that their rows are in no order; and it gives all rows to the user.
 */
export const openStudioChat: Dialect['openChat'] = (
  context,
  conversation,
  about,
  { messages, answersQuestion },
) => {
  const { records, ids, random } = context
  const question = messages.at(-1)
  const earlier = messages.slice(0, -1)
  const add = (message: SentMessage, more: Pick<PlatformMessage, 'role' | 'type' | 'chatId'>) =>
    addRow(context, conversation, message, { ...more, botId: about.botId, metaData: {} })

  const addQuestion = (chatId: string) => {
    if (question === undefined) return
    const row = add(question, { role: 'user', type: 'question', chatId })
    row.metaData = about.messageMetaData
  }

  if (about.kind === 'bot') {
    const chatId = earlier.length > 0 ? ids.next() : ''
    const rows = earlier.map((message) => {
      const type = message.type ?? 'question'
      const role = type === 'question' ? 'user' : 'assistant'
      return add(message, { role, type, chatId })
    })
    const chat = records.addChat(conversation, about)
    addQuestion(chat.id)
    return { chat, earlier: rows.filter(({ role }) => role === 'user').map(textOfRow) }
  }

  const chat = records.addChat(conversation, about)
  addQuestion(chat.id)
  if (answersQuestion) return { chat, earlier: [] }
  let chatId: string | undefined
  const seeds = earlier.flatMap((message) => {
    if (message.role === 'user') chatId = ids.next()
    // An answer before the first question is left out.
    return chatId === undefined ? [] : [{ message, chatId }]
  })
  const rows = shuffled(seeds, random).map(({ message, chatId: own }) =>
    add(message, {
      role: 'user',
      type: message.role === 'user' ? 'question' : 'answer',
      chatId: own,
    }),
  )
  return { chat, earlier: rows.map(textOfRow) }
}

function addRow(
  { records }: Context,
  conversation: PlatformConversation,
  message: SentMessage,
  about: Pick<PlatformMessage, 'role' | 'type' | 'chatId' | 'botId' | 'metaData'>,
): PlatformMessage {
  const row = records.draftMessage(conversation, {
    ...about,
    content: message.content ?? '',
    contentType: message.content_type ?? 'text',
  })
  records.addMessage(conversation, row)
  return row
}

function textOfRow({ content, contentType }: PlatformMessage): string {
  return textOf({ content, content_type: contentType })
}

function shuffled<T>(items: readonly T[], random: RandomBytes): readonly T[] {
  return items
    .map((item) => ({ item, at: random(4).readUInt32BE() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item)
}
