import { createHash } from 'node:crypto'
import type { Limits } from '../config/sections/limits.ts'
import type {
  AssistantId,
  AssistantInfo,
  AttachmentId,
  BusyPolicy,
  ConversationId,
  MessageExtras,
  MessageId,
  Reply,
  ReplyId,
  Session,
} from '../domain.ts'
import {
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  QueueFullError,
  RateLimitedError,
} from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import { remember } from '../lib/remember.ts'
import { type AssistantAccess, servedAccounts } from '../reply/assistant-access.ts'
import type { ReplyEngine } from '../reply/engine.ts'
import type { Permit } from '../reply/permits.ts'
import type { AcceptOutcome, BeginRequest, IdempotencyDigest, Ledger } from '../store/ledger.ts'
import { stored } from '../store/store.ts'

export interface SendMessageRequest {
  readonly text: string
  /** Undefined: the conversation's, else the first configured. */
  readonly assistantId: AssistantId | undefined
  readonly conversationId: ConversationId | undefined
  readonly attachmentIds: readonly AttachmentId[]
  /** Absolute URLs of images, each in its normal form. */
  readonly imageUrls: readonly string[]
  readonly extras: MessageExtras
  readonly onBusy: BusyPolicy
  readonly idempotency: IdempotencyKey | undefined
}

/** `input`: the raw input as the caller sent it, in a canonical form; a key is good for one input. */
export interface IdempotencyKey {
  readonly key: string
  readonly input: string
}

export interface AcceptanceOptions
  extends
    Pick<AssistantAccess, 'serve'>,
    Pick<ReplyEngine, 'admission' | 'queue' | 'canceller' | 'traces'> {
  readonly ledger: Pick<Ledger, 'accept'>
  readonly clock: Clock
  readonly newId: NewId
  /** In configured order: the first one is the default. */
  readonly assistants: readonly [AssistantInfo, ...AssistantInfo[]]
  readonly limits: Pick<Limits, 'maxQueued' | 'maxOpenPerSession'>
}

/**
 * Step 1 of the order of writes. Where a permit is free right now, the store is asked to begin the reply in the same write;
 * a reply that it has begun is sent in the turn in which that is known. Otherwise the permit goes back, and the reply waits.
 *
 *     a permit is free ──▶ accept + begin ──▶ begun: send at once
 *                                        └──▶ queued: release the permit, wake the conversation's worker
 */
export interface Acceptance {
  /**
   * Accepts a message. `refund` is called where none was accepted: it was before, or is refused.
   * @throws {@link UnavailableError} {@link NotFoundError} {@link InvalidInputError} {@link ConversationBusyError}
   * {@link QueueFullError} {@link RateLimitedError} {@link IdempotencyMismatchError}
   */
  accept(session: Session, request: SendMessageRequest, refund: () => void): Promise<Reply>
  /** The reply to a message that was accepted before under the same key; undefined: there is none. Accepts nothing. */
  repeat(session: Session, request: SendMessageRequest): Promise<Reply | undefined>
}

/** Conversations whose assistant is remembered; the one that was longest not used is forgotten first. */
const maxRemembered = 10_000
/** For a caller with too many open replies, in ms: when one of them ends is not known. */
const openRetryMs = 1000

export function createAcceptance(options: AcceptanceOptions): Acceptance {
  const { ledger, admission, queue, clock, newId, assistants, limits, traces } = options
  const assistantOf = new Map<ConversationId, AssistantId>()

  /** Undefined: whose message it will be is known to the store alone. */
  function expectedAssistant(request: SendMessageRequest): AssistantId | undefined {
    if (request.assistantId !== undefined) return request.assistantId
    if (request.conversationId === undefined) return assistants[0].id
    return assistantOf.get(request.conversationId)
  }

  /** A permit that is held, with what the store needs to begin the reply; undefined: none is free now. */
  function tryBegin(
    session: Session,
    request: SendMessageRequest,
  ): { readonly permit: Permit; readonly begin: BeginRequest } | undefined {
    const assistantId = expectedAssistant(request)
    if (assistantId === undefined) return undefined
    const served = servedAccounts(options, assistantId)
    if (served.length === 0) return undefined
    const permit = admission.permit(assistantId, session.id)
    return permit.tryTake() ? { permit, begin: { assistantId, served } } : undefined
  }

  function ask(
    session: Session,
    request: SendMessageRequest,
    { maxOpen, begin }: { readonly maxOpen: number; readonly begin: BeginRequest | undefined },
  ): Promise<AcceptOutcome> {
    const { idempotency, ...message } = request
    return stored(() =>
      ledger.accept(session, {
        ...message,
        replyId: newId() as ReplyId,
        messageId: newId() as MessageId,
        newConversationId: newId() as ConversationId,
        defaultAssistantId: assistants[0].id,
        idempotency: idempotency && digested(idempotency),
        maxQueued: limits.maxQueued,
        maxOpen,
        begin,
        at: clock.now(),
      }),
    )
  }

  return {
    async accept(session, request, refund) {
      const begun = tryBegin(session, request)
      using unused = new DisposableStack()
      if (begun !== undefined) unused.defer(() => begun.permit.release({ unused: true }))
      const { maxOpenPerSession: maxOpen } = limits
      let outcome: AcceptOutcome | undefined
      try {
        outcome = await ask(session, request, { maxOpen, begin: begun?.begin })
      } finally {
        // A store that fails has taken nothing either.
        if (outcome?.type !== 'accepted') refund()
      }
      const { reply, interrupts, overtaken, lease } = accepted(outcome)
      remember(assistantOf, reply.conversationId, reply.assistantId, maxRemembered)
      if (outcome.type === 'accepted') traces.accepted(reply.id)
      for (const each of overtaken) options.canceller.report(each)
      const { conversationId, assistantId } = reply
      const conversation = { session, conversationId, assistantId }
      if (lease !== undefined && begun !== undefined) {
        unused.move()
        queue.send(lease, begun.permit)
      } else if (interrupts !== undefined) queue.interrupt(conversation, interrupts)
      else if (reply.status === 'QUEUED') queue.wake(conversation)
      return reply
    },
    async repeat(session, request) {
      const outcome = await ask(session, request, { maxOpen: 0, begin: undefined })
      if (outcome.type === 'repeated' || outcome.type === 'key-reused')
        return accepted(outcome).reply
      return undefined
    },
  }
}

type Accepted = Omit<Extract<AcceptOutcome, { readonly type: 'accepted' }>, 'type'>

function accepted(outcome: AcceptOutcome): Accepted {
  switch (outcome.type) {
    case 'accepted':
      return outcome
    case 'repeated':
      return { reply: outcome.reply, interrupts: undefined, overtaken: [], lease: undefined }
    case 'key-reused':
      throw keyReused()
    case 'conversation-not-found':
      throw new NotFoundError('There is no such conversation.', { field: ['conversationId'] })
    case 'other-assistant':
      throw new InvalidInputError('The conversation is with another assistant.', {
        field: ['conversationId'],
      })
    case 'attachment-not-found':
      throw new NotFoundError('There is no such attachment for this assistant.', {
        field: ['attachmentIds'],
      })
    case 'busy':
      throw new ConversationBusyError('Another reply is being written in the conversation.')
    case 'queue-full':
      throw new QueueFullError('Too many messages wait in the conversation.')
    case 'too-many-open':
      throw new RateLimitedError('Too many replies are open.', openRetryMs)
  }
}

/** What is stored of a key: the input may be long, and is what the user said. */
export function digested({ key, input }: IdempotencyKey): IdempotencyDigest {
  return { key, digest: createHash('sha256').update(input).digest('base64url') }
}

export function keyReused(): IdempotencyMismatchError {
  return new IdempotencyMismatchError('The idempotency key was used with another input.', {
    field: ['idempotencyKey'],
  })
}
