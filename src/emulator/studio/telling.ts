import type { Context } from '../context.ts'
import type { Telling } from '../dialect.ts'
import type { PlatformRun } from '../run.ts'
import type { NamedEvent } from '../stream.ts'
import type { MetaData, PlatformUsage } from '../world.ts'
import {
  botMessageView,
  studioChatView,
  completedFlowView,
  flowMessageView,
  flowView,
} from './views.ts'

/** Studio's codes of each kind of failure. */
const modelFailed = 103_200_002
const runFailed = 103_100_001
const flowFailed = 720_701_013

const noTools = { code: modelFailed, msg: 'no call takes the outputs of functions' }

export function createStudioTelling(run: PlatformRun, _context: Context): Telling {
  return run.chat.kind === 'bot' ? tellChat(run) : tellFlow(run)
}

function tellChat({ chat }: PlatformRun): Telling {
  const chatEvent = (name: string, status: string): NamedEvent => ({
    name: `conversation.chat.${name}`,
    data: studioChatView(chat, status),
  })
  const done = { name: 'conversation.stream.done', data: '' }
  return {
    tellsThoughts: true,
    tellsSpeech: false,
    toolsRefused: noTools,
    finish: verbose('generate_answer_finish', '{"finish_reason":0,"fin_data":""}'),
    metaData: (usage) => ({
      ...chat.carried,
      bot_state: botState(chat.botId ?? ''),
      ...(usage && usageOf(usage)),
    }),
    // Both events are written once the run is in progress.
    begin: () => [chatEvent('created', 'in_progress'), chatEvent('in_progress', 'in_progress')],
    delta: (message, { content, reasoning_content = '' }) => ({
      name: 'conversation.message.delta',
      data: { ...botMessageView(message, content), reasoning_content },
    }),
    completed: (message) => ({
      name: 'conversation.message.completed',
      data: botMessageView(message),
    }),
    asked: { status: 'completed', note: verbose('interrupt', '{}') },
    // A cancel changes the record only, and the end of the run overwrites it.
    settle: (wanted) => ({ kept: wanted, told: wanted }),
    ended: (told) => chatEvent(told, told),
    statusAfter: (how) => (how === 'fail' ? 'failed' : 'completed'),
    failed: (how, { code, msg }) =>
      how === 'fail'
        ? [{ name: 'error', data: { code: ownCode(code) ?? runFailed, msg } }]
        : [
            { name: 'error', data: { code: ownCode(code) ?? modelFailed, msg } },
            chatEvent('completed', 'completed'),
            done,
          ],
    done,
  }
}

function tellFlow(run: PlatformRun): Telling {
  const { chat, debugUrl } = run
  return {
    tellsThoughts: false,
    tellsSpeech: false,
    toolsRefused: noTools,
    finish: undefined,
    metaData: () => ({}),
    begin: () => [
      { name: 'conversation.chat.created', data: flowView(run, 'created') },
      { name: 'conversation.chat.in_progress', data: flowView(run, 'in_progress') },
    ],
    delta: (message, { content }) => ({
      name: 'conversation.message.delta',
      data: flowMessageView(message, content),
    }),
    completed: (message) => ({
      name: 'conversation.message.completed',
      data: flowMessageView(message),
    }),
    asked: { status: 'requires_action' },
    settle: (wanted) => ({ kept: wanted, told: wanted }),
    ended: (told) => ({
      name: `conversation.chat.${told}`,
      data: told === 'completed' ? completedFlowView(run, chat.usage) : flowView(run, told),
    }),
    statusAfter: () => 'failed',
    failed(_how, { code, msg }) {
      const own = ownCode(code)
      const text = own === undefined ? `Workflow execution failure: ${msg}` : msg
      const data = { code: String(own ?? flowFailed), msg: text, debug_url: debugUrl }
      return [{ name: 'error', data }]
    },
    done: { name: 'done', data: { debug_url: debugUrl } },
  }
}

/** Studio's own codes have nine digits; any other that a command names becomes the code of its kind of failure. */
function ownCode(code: number): number | undefined {
  return String(code).length === 9 ? code : undefined
}

function verbose(kind: string, data: string): string {
  return JSON.stringify({ msg_type: kind, data, from_unit: '' })
}

function botState(botId: string): string {
  return JSON.stringify({ bot_id: botId, agent_name: '', agent_id: botId, awaiting: botId })
}

function usageOf({ input_count, output_count, token_count }: PlatformUsage): MetaData {
  return {
    input_tokens: String(input_count),
    output_tokens: String(output_count),
    time_cost: '0.0',
    token: String(token_count),
  }
}
