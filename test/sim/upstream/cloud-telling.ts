import type { Random } from '../../kit/random.ts'
import { oddDialect, plainDialect } from './frames.ts'
import type { Telling } from './telling.ts'
import { chatView, messageView } from './views.ts'
import type { Chat } from './world.ts'

/** How the cloud tells of a run. */
export function createCloudTelling(chat: Chat, random: Random, isOdd: boolean): Telling {
  const { isBot } = chat
  const message = (id: string, content: string) => messageView(chat, id, content)
  return {
    dialect: isOdd ? oddDialect(isBot, random) : plainDialect(isBot),
    tellsThoughts: isBot,
    notesFinish: true,
    keepsNotes: false,
    ignoresCancels: false,
    forgetsUnread: false,
    canAsk: true,
    toolCallIds: isBot ? [`call-${chat.id}`] : [],
    chat: () => chatView(chat),
    message,
    answer: message,
    done: {
      name: 'done',
      data: isBot ? '"[DONE]"' : '{"debug_url":"https://upstream.test/debug"}',
    },
    failed(twist) {
      switch (twist) {
        case 'fails': {
          const lastError = { last_error: { code: 5000, msg: 'on purpose' } }
          const data = { ...chatView(chat), status: 'failed', ...lastError }
          const events = [{ name: 'conversation.chat.failed', data }]
          return { status: 'failed', code: 5000, events, isOver: false }
        }
        case 'error': {
          const data = isBot ? { code: 4011, msg: 'no' } : { code: '4011', msg: 'no' }
          return { status: 'failed', code: 4011, events: [{ name: 'error', data }], isOver: true }
        }
        case 'canceled': {
          const data = { ...chatView(chat), status: 'canceled' }
          const events = [{ name: 'conversation.chat.canceled', data }]
          return { status: 'canceled', code: 0, events, isOver: false }
        }
      }
    },
  }
}
