import type { AssistantSettings } from '../config/assistant.ts'
import type {
  ConversationId,
  KeyedLayer,
  ReplyId,
  Session,
  SessionId,
  SessionName,
} from '../domain.ts'
import type { IsolationTarget } from '../domain/isolation.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Assistants } from '../strategy/assistants.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import { targetsOf } from './probe-assistants.ts'

export interface CheckupOptions {
  readonly settings: readonly AssistantSettings[]
  readonly assistants: Assistants
  readonly newId: NewId
}

/** How a target stands before anybody is served. */
export interface Checkup extends IsolationTarget {
  /** What keys each layer by the session, as far as it is found out. */
  readonly layers: readonly KeyedLayer[]
  /** Each a sentence that says what to change. */
  readonly problems: readonly string[]
}

/**
 * Looks at every assistant with a session that never was: obtains an access token and an empty conversation, and takes that
 * away again. No text is sent. @throws the signal's reason
 */
export async function* checkUp(
  { settings, assistants, newId }: CheckupOptions,
  signal: AbortSignal,
): AsyncGenerator<Checkup, void, undefined> {
  for (const target of targetsOf(settings)) {
    const { assistantId, strategy: kind } = target
    const strategy = assistants.strategyOf(assistantId, kind)?.strategy
    const records = assistants.recordsOf(assistantId, kind)
    if (!strategy || !records) throw new TypeError(`"${assistantId}" is not configured`)
    const session: Session = {
      id: newId() as SessionId,
      name: `probe-${newId()}` as SessionName,
    }
    const problems: string[] = []
    if (
      settings.some(({ id, credentials }) => id === assistantId && credentials.type === 'token')
    ) {
      problems.push(sharedToken)
    }
    try {
      const run = {
        session,
        conversationId: newId() as ConversationId,
        replyId: newId() as ReplyId,
        generation: 0,
      }
      const upstream = await strategy.open(run, signal)
      if (upstream.type === 'id') {
        await records.deleteConversation(session, upstream.conversationId, signal)
      } else {
        // Nothing was asked of the platform yet: a conversation that is not there tells as much of the credentials.
        const nowhere = { conversationId: '1', before: undefined, limit: 1 }
        await records.listOlder(session, nowhere, signal)
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RunFailedError)) throw error
      if (!isAboutNowhere(error)) problems.push(sentenceOf(error))
    }
    yield { ...target, layers: strategy.layers, problems }
  }
}

/** Tells the log how every assistant stands. Dispose it to break it off. */
export function logCheckup(options: CheckupOptions & { readonly logger: Logger }): AsyncDisposable {
  const { logger } = options
  const stop = new AbortController()
  const done = tell().catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error({ err: error }, 'the assistants could not be looked at')
  })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('broken off'))
      await done
    },
  }

  async function tell(): Promise<void> {
    for await (const { assistantId, strategy, layers, problems } of checkUp(options, stop.signal)) {
      const keyedBy = Object.fromEntries(layers.map(({ layer, keyedBy: by }) => [layer, by]))
      const about = { assistant: assistantId, strategy }
      logger.info({ ...about, ...keyedBy }, 'what keeps sessions apart')
      for (const problem of problems) logger.warn({ ...about, problem }, 'assistant has a problem')
    }
  }
}

const sharedToken =
  'identity: all sessions share one access token, so only conversations keep them apart; use an OAuth app of type JWT instead of "token"'

/** The conversation that nobody has is not there, or not ours: the platform knows us. */
function isAboutNowhere({ conversationGone, failure }: RunFailedError): boolean {
  return conversationGone || failure.code === 'UPSTREAM_REFUSED'
}

function sentenceOf({ failure, hint, upstreamCode, logId }: RunFailedError): string {
  const code = upstreamCode === undefined ? '' : ` (code ${upstreamCode})`
  const support = logId === undefined ? '' : `; log id ${logId}`
  return `${hint ?? failure.message}${code}${support}`
}
