import type {
  AssistantId,
  AssistantInfo,
  Attachment,
  Caller,
  Conversation,
  ConversationId,
  FileUpload,
  Message,
  MessageId,
  Session,
  SessionName,
} from '../domain.ts'
import { DrainingError, InvalidInputError, NotFoundError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { AssistantAccess } from '../reply/assistant-access.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import type { Ledger } from '../store/ledger.ts'
import { stored } from '../store/store.ts'
import { digested, type IdempotencyKey, keyReused } from './acceptance.ts'
import type { OwedWorks } from './owed-works.ts'
import { createRatings, type Feedback } from './ratings.ts'
import { remainsOfDeletion, remainsOfErasure, type UpstreamCleanup } from './remains.ts'
import { createUploads, type UploadsOptions } from './uploads.ts'

/** On whose behalf a session is used, as far as this room may know: no subject. */
export interface SessionCaller {
  readonly kind: Caller['kind']
  readonly issuer: string
  /** A short digest of the session, for the log. */
  readonly fingerprint: string
  /** What the upstream knows the session by, in its generations. */
  nameOf(generation: number): SessionName
}

export interface Erasure extends UpstreamCleanup {
  readonly conversations: number
  readonly messages: number
  readonly attachments: number
}

export interface StartConversationRequest {
  /** Undefined: the first configured. */
  readonly assistantId: AssistantId | undefined
  readonly title: string | undefined
  readonly idempotency: IdempotencyKey | undefined
}

/** What one session may do with its conversations beside talking. No method takes a session. */
export interface SessionConversations {
  /**
   * Begins an empty conversation; under a key that was used before, finds the one that was begun then.
   * @throws {@link NotFoundError} {@link IdempotencyMismatchError} {@link UnavailableError} {@link DrainingError}
   */
  start(request: StartConversationRequest): Promise<Conversation>
  /** `null`: the title that the first message makes. @throws {@link NotFoundError} {@link InvalidInputError} */
  rename(id: ConversationId, title: string | null): Promise<Conversation>
  /** Cancels what is open, then forgets the context: the next message begins anew upstream, and the old one is deleted there. @throws {@link NotFoundError} */
  clear(id: ConversationId): Promise<Conversation>
  /** Cancels what is open, then deletes our record and the upstream's. @throws {@link NotFoundError} */
  delete(id: ConversationId): Promise<UpstreamCleanup>
  /** Cancels what is open, then deletes everything of the session, and renames it for the upstream. */
  erase(): Promise<Erasure>
  /** @throws {@link NotFoundError} {@link NotSupportedError} {@link InvalidInputError} {@link UnavailableError} */
  rate(id: MessageId, feedback: Feedback): Promise<Message>
  /**
   * Streams a file through to the assistant's platform and binds it to the session.
   * @throws {@link NotFoundError} {@link NotSupportedError} {@link InvalidInputError} {@link RateLimitedError}
   * {@link AssistantUnavailableError} {@link TooLargeError}
   */
  uploadFile(assistantId: AssistantId | undefined, file: FileUpload): Promise<Attachment>
}

export interface SessionConversationsOptions
  extends AssistantAccess, UploadsOptions, Pick<ReplyEngine, 'canceller' | 'draining'> {
  readonly ledger: Ledger
  readonly owedWorks: OwedWorks
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  /** Conversations that a session may have. */
  readonly maxConversations: number
  /** In configured order: the first one is the default. */
  readonly assistants: readonly [AssistantInfo, ...AssistantInfo[]]
}

const maxTitleLength = 100

/** Makes what each session may do with its conversations. */
export function createSessionConversations(
  options: SessionConversationsOptions,
): (session: Session, caller: SessionCaller) => SessionConversations {
  const { ledger, canceller, owedWorks, clock, newId, logger, assistants, draining, closed } =
    options
  const rate = createRatings(options)
  const upload = createUploads(options)

  class Conversations implements SessionConversations {
    readonly #session: Session
    readonly #caller: SessionCaller
    constructor(session: Session, caller: SessionCaller) {
      this.#session = session
      this.#caller = caller
    }

    async start({ assistantId, title, idempotency }: StartConversationRequest) {
      refuseWhenDraining()
      if (title !== undefined) checkTitle(title)
      const max = options.maxConversations
      const conversation = {
        id: newId() as ConversationId,
        assistantId: findAssistant(assistantId).id,
        title,
        idempotency: idempotency && digested(idempotency),
        at: clock.now(),
        max,
      }
      const outcome = await stored(() => ledger.startConversation(this.#session, conversation))
      switch (outcome.type) {
        case 'started':
          return outcome.conversation
        case 'key-reused':
          throw keyReused()
        case 'too-many':
          throw new InvalidInputError(
            `The session has ${max} conversations, as many as it may: delete one first.`,
          )
      }
    }

    async rename(id: ConversationId, title: string | null): Promise<Conversation> {
      if (title !== null) checkTitle(title)
      const renamed = await stored(() =>
        ledger.renameConversation(this.#session, id, title, clock.now()),
      )
      if (renamed === undefined) throw notFound()
      return renamed
    }

    async clear(id: ConversationId): Promise<Conversation> {
      const session = this.#session
      await this.#find(id)
      const outcome = await canceller.idle(session, id, async () => {
        const done = await stored(() => ledger.clearConversation(session, id, clock.now()))
        return done.type === 'busy' ? 'busy' : done
      })
      if (outcome.type === 'not-found') throw notFound()
      await owedWorks.attempt(outcome.owed)
      return await this.#find(id)
    }

    async delete(id: ConversationId): Promise<UpstreamCleanup> {
      const session = this.#session
      await this.#find(id)
      const outcome = await canceller.idle(session, id, async () => {
        const done = await stored(() => ledger.deleteConversation(session, id, clock.now()))
        return done.type === 'busy' ? 'busy' : done
      })
      if (outcome.type === 'not-found') throw notFound()
      return remainsOfDeletion(await owedWorks.attempt(outcome.owed))
    }

    async erase(): Promise<Erasure> {
      const session = this.#session
      const { kind, issuer, fingerprint } = this.#caller
      let name: SessionName | undefined
      const nameOf = (generation: number) => (name = this.#caller.nameOf(generation))
      const erased = await canceller.idle(session, undefined, async () => {
        const done = await stored(() => ledger.eraseSession(session, nameOf, clock.now()))
        return done.type === 'busy' ? 'busy' : done.erased
      })
      const { conversations, messages, attachments, hasSpoken } = erased
      const tried = await owedWorks.attempt(erased.owed)
      const isRenamed = name !== session.name
      const cleanup = remainsOfErasure({ tried, hasSpoken, files: attachments, isRenamed })
      const counts = { conversations, messages, attachments }
      const { deleted } = cleanup
      logger.info(
        { audit: 'session erased', session: fingerprint, caller: kind, issuer, ...counts, deleted },
        'session erased',
      )
      return { ...counts, ...cleanup }
    }

    rate(id: MessageId, feedback: Feedback): Promise<Message> {
      return unlessClosed(rate(this.#session, id, feedback))
    }

    async uploadFile(assistantId: AssistantId | undefined, file: FileUpload): Promise<Attachment> {
      refuseWhenDraining()
      return await unlessClosed(upload(this.#session, findAssistant(assistantId), file))
    }

    async #find(id: ConversationId): Promise<Conversation> {
      const [conversation] = await ledger.session(this.#session).conversations([id])
      if (conversation === undefined) throw notFound()
      return conversation
    }
  }

  function findAssistant(id: AssistantId | undefined): AssistantInfo {
    if (id === undefined) return assistants[0]
    const assistant = assistants.find((candidate) => candidate.id === id)
    if (assistant === undefined)
      throw new NotFoundError('There is no such assistant.', { field: ['assistantId'] })
    return assistant
  }

  function refuseWhenDraining(): void {
    if (draining.aborted) throw new DrainingError('The gateway is shutting down.')
  }

  /** A call upstream that the end of the engine has broken off is refused like one that came too late. */
  async function unlessClosed<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      if (closed.aborted && error === closed.reason) refuseWhenDraining()
      throw error
    }
  }

  return (session, caller) => new Conversations(session, caller)
}

function checkTitle(title: string): void {
  if (title.trim() === '' || title.length > maxTitleLength) {
    throw new InvalidInputError(`A title must have 1 to ${maxTitleLength} characters.`, {
      field: ['title'],
    })
  }
}

function notFound(): NotFoundError {
  return new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
}
