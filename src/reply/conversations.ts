import type {
  AssistantId,
  AssistantInfo,
  Attachment,
  Conversation,
  ConversationId,
  FileUpload,
  Message,
  MessageId,
  Session,
  SessionName,
} from '../domain.ts'
import type { Breach } from '../isolation/breaches.ts'
import { DrainingError, InvalidInputError, NotFoundError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { Logger } from '../observe/logger.ts'
import type { Ledger } from '../store/ledger.ts'
import type { AssistantAccess } from './assistant-access.ts'
import type { Canceller } from './canceller.ts'
import { createOlderMessages } from './older-messages.ts'
import { createRatings, type Feedback } from './ratings.ts'
import { remainsOfDeletion, remainsOfErasure } from './remains.ts'
import type { SessionCaller } from './session-caller.ts'
import type { Erasure, SessionConversations, UpstreamCleanup } from './session-conversations.ts'
import { stored } from './stored.ts'
import { createUploads, type UploadsOptions } from './uploads.ts'
import { createUpstreamCleaner } from './upstream-cleanup.ts'

export interface SessionConversationsOptions extends AssistantAccess, UploadsOptions {
  readonly ledger: Ledger
  readonly canceller: Canceller
  readonly clock: Clock
  readonly newId: NewId
  readonly logger: Logger
  /** Conversations that a session may have. */
  readonly maxConversations: number
  /** In configured order: the first one is the default. */
  readonly assistants: readonly [AssistantInfo, ...AssistantInfo[]]
  /** Hears that the upstream told what is another's. */
  readonly onBreach: (breach: Breach) => void
  /** Aborts when nothing more is accepted. */
  readonly draining: AbortSignal
  /** Aborts when the engine is closed. */
  readonly closed: AbortSignal
}

const maxTitleLength = 100

/** Makes what each session may do with its conversations. */
export function createSessionConversations(
  options: SessionConversationsOptions,
): (session: Session, caller: SessionCaller) => SessionConversations {
  const { ledger, canceller, clock, newId, logger, assistants, draining, closed } = options
  const cleaner = createUpstreamCleaner(options)
  const rate = createRatings(options)
  const upload = createUploads(options)
  const readOlder = createOlderMessages(options)

  class Conversations implements SessionConversations {
    readonly #session: Session
    readonly #caller: SessionCaller
    constructor(session: Session, caller: SessionCaller) {
      this.#session = session
      this.#caller = caller
    }

    async start(assistantId: AssistantId | undefined, title: string | undefined) {
      refuseWhenDraining()
      if (title !== undefined) checkTitle(title)
      const id = newId() as ConversationId
      const conversation = { id, assistantId: findAssistant(assistantId).id, title }
      const max = options.maxConversations
      const begun = await stored(() =>
        ledger.startConversation(this.#session, { ...conversation, at: clock.now(), max }),
      )
      if (begun === undefined) {
        throw new InvalidInputError(
          `The session has ${max} conversations, as many as it may: delete one first.`,
        )
      }
      return begun
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
      const outcome = await canceller.idle(session, id, () =>
        stored(() => ledger.clearConversation(session, id)),
      )
      if (outcome === 'not-found') throw notFound()
      return await this.#find(id)
    }

    async delete(id: ConversationId): Promise<UpstreamCleanup> {
      const session = this.#session
      await this.#find(id)
      const outcome = await canceller.idle(session, id, async () => {
        const done = await stored(() => ledger.deleteConversation(session, id))
        return done.type === 'busy' ? 'busy' : done
      })
      if (outcome.type === 'not-found') throw notFound()
      const { assistantId, upstream } = outcome
      const bound = upstream.map((binding) => ({ ...binding, assistantId }))
      const removals = await cleaner.deleteConversations(session, bound)
      return { deleted: removals.gone, remains: remainsOfDeletion(removals) }
    }

    async erase(): Promise<Erasure> {
      const session = this.#session
      const { kind, issuer, fingerprint } = this.#caller
      let name: SessionName | undefined
      const nameOf = (generation: number) => (name = this.#caller.nameOf(generation))
      const outcome = await canceller.idle(session, undefined, async () => {
        const done = await stored(() => ledger.eraseSession(session, nameOf, clock.now()))
        return done.type === 'busy' ? 'busy' : done.erased
      })
      const { conversations, messages, attachments, upstream, former } = outcome
      // Still under the old name, which what the upstream keeps belongs to.
      const [removals, variables] = await Promise.all([
        cleaner.deleteConversations(session, upstream),
        cleaner.clearVariables(session, upstream, former),
      ])
      const deleted = removals.gone
      const counts = { conversations, messages, attachments: attachments.length }
      logger.info(
        { audit: 'session erased', session: fingerprint, caller: kind, issuer, ...counts, deleted },
        'session erased',
      )
      const remains = remainsOfErasure({
        removals,
        hasSpoken: upstream.length + former.length > 0,
        variables,
        files: attachments.length,
        isRenamed: name !== session.name,
      })
      return { ...counts, deleted, remains }
    }

    rate(id: MessageId, feedback: Feedback): Promise<Message> {
      return unlessClosed(rate(this.#session, id, feedback))
    }

    async uploadFile(assistantId: AssistantId | undefined, file: FileUpload): Promise<Attachment> {
      refuseWhenDraining()
      return await unlessClosed(upload(this.#session, findAssistant(assistantId), file))
    }

    older(id: ConversationId, request: { before: string | undefined; limit: number }) {
      const own = ledger.session(this.#session)
      return unlessClosed(readOlder(this.#session, own, id, request))
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
    if (assistant === undefined) throw new NotFoundError('There is no such assistant.')
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
    throw new InvalidInputError(`A title must have 1 to ${maxTitleLength} characters.`)
  }
}

function notFound(): NotFoundError {
  return new NotFoundError('There is no such conversation.')
}
