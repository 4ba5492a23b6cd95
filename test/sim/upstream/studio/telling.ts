import type { Random } from '../../../kit/random.ts'
import { oddDialect, plainDialect } from '../frames.ts'
import type { Telling } from '../telling.ts'
import type { Chat } from '../world.ts'
import { botMessageView, chatView, flowMessageView, flowView } from './views.ts'

const modelFailed = { code: 103_200_002, msg: 'Internal Server Error' }
const runFailed = { code: 103_100_001, msg: 'code=100 message=on purpose\nstack=here' }
const flowFailed = { code: '720701013', msg: 'Workflow execution failure: on purpose' }

export function createStudioTelling(chat: Chat, random: Random, isOdd: boolean): Telling {
  const { isBot } = chat
  const dialect = isOdd ? oddDialect(isBot, random) : plainDialect(isBot)
  return isBot ? tellBot(chat, dialect) : tellFlow(chat, { ...dialect, numbers: true })
}

/** `/v3/chat`. */
function tellBot(chat: Chat, dialect: Telling['dialect']): Telling {
  const done = { name: 'conversation.stream.done', data: '' }
  const metaData = { bot_state: '{}', ...chat.carried }
  const usage = { input_tokens: '11', output_tokens: '7', token: '18' }
  return {
    dialect,
    tellsThoughts: true,
    notesFinish: true,
    keepsNotes: true,
    ignoresCancels: true,
    forgetsUnread: false,
    // What a tool of it asks, it tells as the end of the run.
    canAsk: false,
    toolCallIds: [],
    chat: (name) => chatView(chat, name === 'created' ? 'in_progress' : name),
    message: (id, content) => botMessageView(chat, { id, content, metaData }),
    answer: (id, content) =>
      botMessageView(chat, { id, content, metaData: { ...metaData, ...usage } }),
    done,
    failed(twist) {
      switch (twist) {
        case 'fails': {
          const completed = {
            name: 'conversation.chat.completed',
            data: chatView(chat, 'completed'),
          }
          const events = [{ name: 'error', data: modelFailed }, completed]
          return { status: 'completed', code: 0, events, isOver: false }
        }
        case 'error':
        // Nobody else can cancel a run there.
        case 'canceled':
          return {
            status: 'failed',
            code: runFailed.code,
            events: [{ name: 'error', data: runFailed }],
            isOver: true,
          }
      }
    },
  }
}

/** `/v1/workflows/chat`. */
function tellFlow(chat: Chat, dialect: Telling['dialect']): Telling {
  const message = (id: string, content: string) => flowMessageView(chat, id, content)
  return {
    dialect,
    tellsThoughts: false,
    notesFinish: false,
    keepsNotes: false,
    ignoresCancels: true,
    forgetsUnread: true,
    canAsk: true,
    toolCallIds: [],
    chat: (name) => flowView(chat, name),
    message,
    answer: message,
    done: { name: 'done', data: { debug_url: 'http://studio.test/debug' } },
    failed: () => ({
      status: 'failed',
      code: 0,
      events: [{ name: 'error', data: flowFailed }],
      isOver: true,
    }),
  }
}
