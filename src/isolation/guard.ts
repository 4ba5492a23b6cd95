import type { ReplyFailure } from '../domain.ts'

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
   * @throws {@link GuardError} `ISOLATION_BREACH` for an event of another chat or conversation (F16, T14),
   * `UPSTREAM_PROTOCOL` for one that names none.
   */
  check(event: GuardedEvent): void
}

/**
 * Watches one run. What is already known of it (`conversationId` once bound, `chatId` once recorded) is demanded from
 * the first event on; what is not is learnt from the first event and demanded afterwards.
 */
export function createGuard(known: {
  readonly conversationId: string | undefined
  readonly chatId: string | undefined
}): Guard {
  let { conversationId, chatId } = known
  return {
    check(event) {
      if (event.chatId === chatId && event.conversationId === conversationId) return
      if (!isId(event.chatId) || !isId(event.conversationId)) {
        throw protocolError('The assistant sent an event that names no run.')
      }
      chatId ??= event.chatId
      conversationId ??= event.conversationId
      if (event.chatId !== chatId || event.conversationId !== conversationId) throw breach(event)
    },
  }
}

/** The platform writes "no id" as an empty string or as zero (coze-api.md §11.3). */
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

function breach({ chatId, conversationId }: GuardedEvent): GuardError {
  const message = 'The assistant mixed this reply with another conversation.'
  const failure = {
    code: 'ISOLATION_BREACH',
    message,
    retryable: false,
    retryAfterMs: null,
  } as const
  return new GuardError(failure, { chatId, conversationId })
}
