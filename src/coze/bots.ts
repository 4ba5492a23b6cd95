import type { CozeClient, CozeTarget } from './client.ts'
import type { CozeAnswer } from './envelope.ts'
import { findObject, findString } from './json.ts'

/** What a Bot shows before anything is said. */
export interface BotOpening {
  /** Undefined: it has none, or the platform does not say. */
  readonly greeting: string | undefined
  readonly suggestions: readonly string[]
}

/** The opening of a Bot as it was published last. */
export async function retrieveBotOpening(
  client: CozeClient,
  target: CozeTarget,
  botId: string,
  signal: AbortSignal,
): Promise<BotOpening> {
  const path = `/v1/bots/${encodeURIComponent(botId)}`
  const query = { is_published: 'true' }
  const call = 'retrieve-bot'
  return await client.request(
    { call, target, method: 'GET', path, query, read: readOpening },
    signal,
  )
}

/** The documentation names the fields in two ways, so both are read (docs/coze-platform.md#bot-chat). Any other form is no opening. */
function readOpening({ body }: CozeAnswer): BotOpening {
  const info = findObject(findObject(body, 'data') ?? {}, 'onboarding_info') ?? {}
  const greeting = findString(info, 'prologue') ?? findString(info, 'Prologue')
  const list: unknown = info['suggested_questions'] ?? info['SuggestedQuestions']
  const suggestions = Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
  return { greeting, suggestions }
}
