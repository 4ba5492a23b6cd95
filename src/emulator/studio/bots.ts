import type { Answer, Context, OwnedCall } from '../context.ts'
import { internal } from './refusals.ts'

/** `GET /v1/bots/{id}`: the configuration of a published Bot. */
export function retrieveStudioBot({ params }: OwnedCall, { settings }: Context): Answer {
  const bot = settings.bots.find(({ botId }) => botId === params['bot_id'])
  if (bot === undefined || !bot.published) throw internal()
  return {
    data: {
      bot_id: bot.botId,
      name: 'Bot',
      onboarding_info: { prologue: bot.greeting, suggested_questions: bot.suggestedQuestions },
      bot_mode: 0,
    },
    code: 0,
    msg: '',
    BaseResp: null,
  }
}
