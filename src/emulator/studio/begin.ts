import type { Context } from '../context.ts'
import type { Dialect } from '../dialect.ts'
import { type SentMessage, textOf } from '../enter-message.ts'
import type { RandomBytes } from '../ids.ts'
import type { PlatformConversation, PlatformMessage } from '../world.ts'

/**
 * Stores a run and what it was told: the question under the run's own id, what came before it under ids of its own.
 * `/v3/chat` makes one earlier run of it all. A flow makes a later run of each of the user's messages, at once, so that
 * their rows are in no order; all its rows are the user's.
 */
export const begin: Dialect['begin'] = (context, about) => {
  const { conversation, messages, kind, carried, answersQuestion } = about
  const { world, ids, random } = context
  const question = messages.at(-1)
  const earlier = messages.slice(0, -1)
  const keep = (message: SentMessage, more: Pick<PlatformMessage, 'role' | 'type' | 'chatId'>) =>
    keepRow(context, conversation, message, { ...more, botId: about.botId, metaData: {} })

  const keepQuestion = (chatId: string) => {
    if (question === undefined) return
    const row = keep(question, { role: 'user', type: 'question', chatId })
    row.metaData = carried
  }

  if (kind === 'bot') {
    const chatId = earlier.length > 0 ? ids.next() : ''
    const told = earlier.map((message) => {
      const type = message.type ?? 'question'
      const role = type === 'question' ? 'user' : 'assistant'
      return keep(message, { role, type, chatId })
    })
    const chat = world.addChat(conversation, about)
    keepQuestion(chat.id)
    return { chat, told: told.filter(({ role }) => role === 'user').map(textOfRow) }
  }

  const chat = world.addChat(conversation, about)
  keepQuestion(chat.id)
  if (answersQuestion) return { chat, told: [] }
  let chatId: string | undefined
  const seeds = earlier.flatMap((message) => {
    if (message.role === 'user') chatId = ids.next()
    // An answer before the first question is left out.
    return chatId === undefined ? [] : [{ message, chatId }]
  })
  const told = shuffled(seeds, random).map(({ message, chatId: own }) =>
    keep(message, {
      role: 'user',
      type: message.role === 'user' ? 'question' : 'answer',
      chatId: own,
    }),
  )
  return { chat, told: told.map(textOfRow) }
}

function keepRow(
  { world }: Context,
  conversation: PlatformConversation,
  message: SentMessage,
  place: Pick<PlatformMessage, 'role' | 'type' | 'chatId' | 'botId' | 'metaData'>,
): PlatformMessage {
  const row = world.draftMessage(conversation, {
    ...place,
    content: message.content ?? '',
    contentType: message.content_type ?? 'text',
  })
  world.keepMessage(conversation, row)
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
