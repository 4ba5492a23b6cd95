import { ApiError } from '../call-errors.ts'
import type { Answer, Context, OwnedCall } from '../context.ts'

/** `GET /v1/bots/{id}`: the configuration of a published Bot. */
export function retrieveCloudBot({ params, query }: OwnedCall, { settings }: Context): Answer {
  const bot = settings.bots.find(({ botId }) => botId === params['bot_id'])
  if (bot === undefined) throw new ApiError(4006, 'bot not found')
  if (!bot.published && query.get('is_published') !== 'false') {
    throw new ApiError(4015, 'the bot is not published to the API')
  }
  return {
    data: {
      bot_id: bot.botId,
      name: 'Bot',
      description: '',
      onboarding_info: {
        prologue: bot.greeting,
        // Left out where suggestions are turned off.
        ...(bot.suggestedQuestions.length > 0 && { suggested_questions: bot.suggestedQuestions }),
      },
      bot_mode: 0,
    },
  }
}
