import type { ReplyFailure } from '../domain.ts'
import { breachFailures } from './breaches.ts'

/** What every step of a run must say of itself. The strategies' run events do. */
export interface GuardedEvent {
  readonly type: string
  readonly chatId: string
  readonly conversationId: string
}

/** An event that must not be delivered. `failure` is the reply's end. */
export class GuardError extends Error {
  override readonly name = 'GuardError'
  readonly failure: ReplyFailure
  /** Whose it was; undefined: it names nobody. */
  readonly foreign: Pick<GuardedEvent, 'chatId' | 'conversationId'> | undefined
  constructor(failure: ReplyFailure, foreign: GuardError['foreign']) {
    super(failure.message)
    this.failure = failure
    this.foreign = foreign
  }
}

export interface Guard {
  /**
   * Lets an event of this run pass; call it before anything of the event is stored or shown.
   * @throws {@link GuardError} `ISOLATION_BREACH` for an event of another chat or conversation,
   * `UPSTREAM_PROTOCOL` for one that names none.
   */
  check(event: GuardedEvent): void
}

/**
 * Watches one run. What is already known of it (`conversationId` once bound, `chatId` once recorded) is demanded from
 * the first event on; what is not is learnt from the first event and demanded afterwards. `mayMove`: the first event tells
 * where the run goes on, also if that is not the conversation it was sent to. Whoever allows it must find out whose that
 * one is before anything is shown. Default false.
 */
export function createGuard(known: {
  readonly conversationId: string | undefined
  readonly chatId: string | undefined
  readonly mayMove?: boolean | undefined
}): Guard {
  let { conversationId, chatId, mayMove = false } = known
  return {
    check(event) {
      if (event.chatId === chatId && event.conversationId === conversationId) return
      if (!isId(event.chatId) || !isId(event.conversationId)) {
        throw protocolError('The assistant sent an event that names no run.')
      }
      if (mayMove && chatId === undefined) conversationId = event.conversationId
      mayMove = false
      chatId ??= event.chatId
      conversationId ??= event.conversationId
      if (event.chatId !== chatId || event.conversationId !== conversationId) {
        throw new GuardError(breachFailures.mixed, {
          chatId: event.chatId,
          conversationId: event.conversationId,
        })
      }
    },
  }
}

/** The platform writes "no id" as an empty string or as zero. */
function isId(id: string): boolean {
  return id !== '' && id !== '0'
}

function protocolError(message: string): GuardError {
  const failure = {
    code: 'UPSTREAM_PROTOCOL',
    message,
    retryable: false,
    retryAfterMs: null,
  } as const
  return new GuardError(failure, undefined)
}
