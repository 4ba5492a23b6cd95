import type { Context } from '../context.ts'
import type { Telling } from '../dialect.ts'
import type { PlatformRun } from '../run.ts'
import type { NamedEvent } from '../stream.ts'
import { type ChatStatus, isRunning } from '../world.ts'
import { cloudChatView, completedView, deltaView } from './views.ts'

const finish =
  '{"msg_type":"generate_answer_finish","data":"{\\"finish_reason\\":0,\\"FinData\\":\\"\\"}","from_module":null,"from_unit":null}'

export function createCloudTelling(run: PlatformRun, { settings }: Context): Telling {
  const { chat } = run
  const { doneAfterError, resumedStreamBegins, canceledEnding } = settings.switches
  const isBot = chat.kind === 'bot'
  const debug = JSON.stringify({ debug_url: run.debugUrl }).replaceAll('&', '\\u0026')
  const done = { name: 'done', data: isBot ? '"[DONE]"' : debug }
  const chatEvent = (name: string, status: ChatStatus): NamedEvent => ({
    name: `conversation.chat.${name}`,
    data: cloudChatView({ ...chat, status }),
  })

  return {
    tellsThoughts: true,
    tellsSpeech: true,
    toolsRefused: isBot ? undefined : { code: 4000, msg: 'No client plugin in a workflow chat.' },
    finish,
    metaData: () => ({}),
    begin(isResumed) {
      const goesOn = chatEvent('in_progress', 'in_progress')
      if (!isResumed) return [chatEvent('created', 'created'), goesOn]
      return resumedStreamBegins === 'in_progress' ? [goesOn] : []
    },
    delta: (message, piece) => ({
      name: 'conversation.message.delta',
      data: deltaView(message, piece),
    }),
    completed: (message) => ({
      name: 'conversation.message.completed',
      data: completedView(message, chat.kind),
    }),
    asked: { status: 'requires_action' },
    /** A cancelled chat stays cancelled, whatever its stream tells. */
    settle(wanted) {
      if (isRunning(chat)) return { kept: wanted, told: wanted }
      const told = canceledEnding === 'none' ? undefined : canceledEnding
      return { kept: chat.status, told }
    },
    ended: (told) => chatEvent(told, told),
    statusAfter: () => (isRunning(chat) ? 'failed' : chat.status),
    /** The code of an error event is a string in a Workflow's stream, a number in a Bot's. */
    failed(how, { code, msg }) {
      const brokenOff = isBot ? { code, msg } : { code: String(code), msg, debug_url: run.debugUrl }
      const told =
        how === 'fail' ? chatEvent('failed', chat.status) : { name: 'error', data: brokenOff }
      return doneAfterError ? [told, done] : [told]
    },
    done,
  }
}
