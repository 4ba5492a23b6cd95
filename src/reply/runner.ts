import { breachFailures } from '../isolation/breaches.ts'
import { CollisionError, type Encounters } from '../isolation/encounters.ts'
import { createGuard } from '../isolation/guard.ts'
import { runSteps } from '../domain/reply-states.ts'
import type { Message, ToolCall } from '../domain.ts'
import type { Ledger } from '../store/ledger.ts'
import type { Orphan, RunLease } from '../store/run-lease.ts'
import { LostReplyError } from '../store/log.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { ChatStrategy, StartRequest, UpstreamConversation } from '../strategy/strategy.ts'
import { type AssistantAccess, isSameScope } from './assistant-access.ts'
import { createDrive, type DriveOptions, type RunControl, unknownOutcome } from './drive.ts'
import { createEnding, type EndingOptions, unknownEnd, unsentEnd } from './ending.ts'
import { runFailures } from './failures.ts'
import type { Permit } from './permits.ts'
import { createRunReader, type RunReader, type UpstreamRun } from './run-reader.ts'
import { guarded, isStopped, type Run, runContext, type SentRun } from './run.ts'

export interface RunnerOptions
  extends EndingOptions, DriveOptions, Pick<AssistantAccess, 'strategyOf' | 'serve'> {
  readonly ledger: Pick<Ledger, 'history'>
  readonly encounters: Encounters
  /** Bytes that one reply may hold and write. */
  readonly maxReplyBytes: number
  /** Older messages that seed a new upstream conversation. */
  readonly historyLength: number
  /** How long after it reached the head of its queue a reply may still start, in ms. */
  readonly queueExpiryMs: number
}

/**
 * Drives replies to their end, in the order of writes. Each step is one durable write, unless it says otherwise:
 *
 *     1  accept    the message; where nothing stands before it, with 2 and 3
 *     2  claim     RUNNING, under a lease
 *     3  intend    the binding of the conversation that was opened, the send intent, `started`: then the message is sent
 *     4  record    the upstream's id of the run, for which nobody waits; a conversation that the run reveals is bound first
 *     5  text      shown at once, and written behind that with that of others
 *     6  finish    the whole text, the end and its event
 *
 * Each method resolves when the reply has ended, was requeued, was let go of while it waits for its session, or turned out to be another's; false: nothing waits in
 * the conversation. A signal aborted with a {@link StopRequest} ends the reply as that asks.
 */
export interface Runner {
  /** A reply whose send intent is on disk already: its request leaves in the same turn. */
  send(lease: RunLease, permit: Permit, signal: AbortSignal): Promise<boolean>
  /**
   * A reply that was claimed. One without a permit is requeued, unless it has waited too long.
   * `mayExpire`: it may have waited too long at the head; when it came there can say so.
   */
  run(
    lease: RunLease,
    options: { readonly permit: Permit; readonly mayExpire: boolean },
    signal: AbortSignal,
  ): Promise<boolean>
  /** A reply whose runner died. Nothing is ever sent again. */
  recover(orphan: Orphan, permit: Permit, signal: AbortSignal): Promise<boolean>
}

/** How a run is read. */
type Begun =
  /** From its first event on. `history`: the older messages that it brings. */
  | { readonly type: 'sent'; readonly history: readonly Message[] }
  /** Its stream is lost, and what the upstream keeps of it is looked up. */
  | {
      readonly type: 'lost'
      readonly run: UpstreamRun | undefined
      readonly waitsFor: readonly ToolCall[] | undefined
    }

export function createRunner(options: RunnerOptions): Runner {
  const { ledger, clock, logger, metrics, encounters } = options
  const ending = createEnding(options)
  const drive = createDrive(options, ending)

  async function run(
    lease: RunLease,
    { permit, mayExpire }: { readonly permit: Permit; readonly mayExpire: boolean },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (mayExpire && clock.now() - lease.headSince >= options.queueExpiryMs) {
      return await ending.finish(lease, unsentEnd(runFailures.expired))
    }
    if (!permit.isHeld && !isStopped(signal, 'cancel')) {
      await ending.requeue(lease)
      return true
    }
    return await begin(lease, { permit, signal, isIntended: false, spentMs: 0 })
  }

  async function begin(lease: RunLease, control: RunControl): Promise<boolean> {
    const choice = options.serve(lease.reply.assistantId, lease.upstream?.strategy)
    if (choice === undefined) {
      return await ending.finish(lease, unsentEnd(runFailures.unconfigured))
    }
    if (choice.strategy === undefined) {
      return await ending.finish(lease, unsentEnd(breachFailures.outOfService))
    }
    const known = usableConversation(lease, choice.strategy)
    const moved = lease.upstream !== undefined && known === undefined
    const contextReset = lease.contextReset || moved
    const { generation } = lease
    const facts = {
      lease,
      generation,
      ...choice,
      contextReset,
      mayLackOlderMessages: false,
      reader: undefined,
    }
    return await attempt(facts, known, control, { needsIntent: moved || !control.isIntended })
  }

  /** Steps 3 to 6; a second time only where the upstream is known to have accepted nothing. */
  async function attempt(
    facts: Run,
    known: string | undefined,
    control: RunControl,
    { needsIntent }: { readonly needsIntent: boolean },
  ): Promise<boolean> {
    const { lease } = facts
    const { signal } = control
    let upstream: UpstreamConversation | undefined
    let sent: SentRun | undefined
    try {
      if (!canReadAttachments(facts)) throw foreignAttachment
      upstream =
        known === undefined
          ? await facts.strategy.open(runContext(facts), signal)
          : { type: 'id', conversationId: known }
      const history = facts.contextReset
        ? await ledger.history(lease.session, lease.reply.id, options.historyLength)
        : []
      signal.throwIfAborted()
      if (needsIntent) {
        const opened = known === undefined && upstream.type === 'id' ? upstream : undefined
        if (!(await encounters.intend(guarded(facts), opened, facts.contextReset))) return true
        control.isIntended = true
        signal.throwIfAborted()
      }
      const reader = openReader(facts, upstream, { type: 'sent', history }, signal)
      sent = { ...facts, upstream, reader }
      const request = requestOf(facts, upstream, history)
      const { strategy } = facts
      await drive.read(sent, (take) => strategy.start(request, take, signal), control)
    } catch (error) {
      if (error instanceof LostReplyError) return true
      if (!control.isIntended && isStopped(signal, 'shutdown')) {
        await ending.requeue(lease)
        return true
      }
      const isKnown = known !== undefined
      // A conversation that a call has just made is none for the run: its name obtains it instead.
      const mayName = upstream?.type === 'id' && facts.strategy.opensByName
      if (isGone(error) && (isKnown || mayName) && sent?.reader.chatId === undefined) {
        logger.info({ reply: lease.reply.id }, 'upstream conversation is gone, beginning a new one')
        const generation = facts.generation + 1
        const contextReset = facts.contextReset || isKnown
        const renewed = { ...facts, generation, contextReset }
        return await attempt(renewed, undefined, control, { needsIntent: true })
      }
      // Who meets it only now goes on where the assistant is served by then; the first is told.
      if (error instanceof CollisionError && !error.isNew && sent === undefined) {
        const other = options.serve(lease.reply.assistantId, facts.strategy.kind)
        if (other?.strategy !== undefined && other.strategy !== facts.strategy) {
          return await attempt({ ...facts, ...other }, undefined, control, { needsIntent: true })
        }
      }
      return await drive.fail(sent ?? facts, error, control)
    }
    return await drive.toEnd(sent, control)
  }

  async function recover(orphan: Orphan, permit: Permit, signal: AbortSignal): Promise<boolean> {
    const { lease, progress } = orphan
    const { reply, generation } = lease
    const { recovery } = runSteps[progress.step]
    // A reply that a message has interrupted must not come to the head of the queue again.
    if (recovery === 'requeue' && !isStopped(signal, 'cancel')) {
      await ending.requeue(lease)
      return true
    }
    const choice = options.strategyOf(reply.assistantId, lease.upstream?.strategy)
    if (choice === undefined)
      return await ending.finish(lease, unknownEnd(runFailures.unconfigured))
    const { contextReset } = reply
    const facts = {
      lease,
      generation,
      ...choice,
      contextReset,
      mayLackOlderMessages: contextReset,
      reader: undefined,
    }
    const control = { permit, signal, isIntended: true, spentMs: 0 }
    const upstream = sentTo(lease)
    const sent = { ...facts, upstream, reader: readerOf(orphan, facts, upstream, signal) }
    switch (recovery) {
      case 'requeue':
        return await ending.finish(lease, await ending.endOfFailure(facts, undefined, signal))
      case 'wait': {
        const expiresAt = progress.step === 'waiting' ? progress.expiresAt : undefined
        return await drive.toEnd(sent, control, expiresAt)
      }
      case 'fail':
        return await ending.finish(lease, await ending.endOfFailure(sent, unknownOutcome, signal))
      case 'look-up':
        return await drive.lookUp(sent, sent.reader.chatId, unknownOutcome, control)
    }
  }

  function readerOf(
    { progress }: Orphan,
    facts: Run,
    upstream: UpstreamConversation,
    signal: AbortSignal,
  ): RunReader {
    if (upstream.type === 'named' || !('chatId' in progress)) {
      const nothing = { type: 'lost', run: undefined, waitsFor: undefined } as const
      return openReader(facts, upstream, nothing, signal)
    }
    const { conversationId } = upstream
    const { chatId } = progress
    const waitsFor = progress.step === 'waiting' ? progress.toolCalls : undefined
    const lost = { type: 'lost', run: { chatId, conversationId }, waitsFor } as const
    return openReader(facts, upstream, lost, signal)
  }

  /** Reads what the run says, records the run and shows its text until the signal aborts. */
  function openReader(
    facts: Run,
    upstream: UpstreamConversation,
    begun: Begun,
    signal: AbortSignal,
  ): RunReader {
    const { lease } = facts
    const known = begun.type === 'lost' ? begun.run : undefined
    const sentTo = upstream.type === 'id' ? upstream.conversationId : undefined

    async function reveal(revealed: UpstreamRun, history: readonly Message[]): Promise<void> {
      const { chatId, conversationId } = revealed
      const reference = { ...runContext(facts), upstreamConversationId: conversationId, chatId }
      await encounters.reveal(
        guarded(facts),
        { chatId, conversationId, logId: reader.logId, replaces: sentTo !== undefined },
        () => facts.strategy.listRevealed({ ...reference, history }, signal),
      )
      if (sentTo !== undefined) {
        const about = { reply: lease.reply.id }
        logger.info(about, 'upstream conversation is gone, the run began a new one')
      }
      lease.recordChat(chatId)
    }

    const reader = createRunReader({
      guard: createGuard({
        conversationId: sentTo,
        chatId: known?.chatId,
        mayMove: begun.type === 'sent',
      }),
      metrics,
      clock,
      acceptedAt: lease.reply.createdAt,
      shown: { answer: lease.answer, reasoning: lease.reasoning },
      sentTo,
      known,
      waitsFor: begun.type === 'lost' ? begun.waitsFor : undefined,
      maxReplyBytes: options.maxReplyBytes,
      record(found) {
        if (known !== undefined) return undefined
        if (begun.type === 'sent' && found.conversationId !== sentTo) {
          return reveal(found, begun.history)
        }
        lease.recordChat(found.chatId)
        return undefined
      },
      show(deltas) {
        signal.throwIfAborted()
        return lease.append(deltas)
      },
    })
    return reader
  }

  return {
    send: (lease, permit, signal) => begin(lease, { permit, signal, isIntended: true, spentMs: 0 }),
    run,
    recover,
  }
}

const foreignAttachment = new RunFailedError(runFailures.foreignAttachment, {
  outcome: 'not-accepted',
})

function requestOf(
  run: Run,
  upstream: UpstreamConversation,
  history: readonly Message[],
): StartRequest {
  const { lease, strategy, contextReset } = run
  const { message, attachments, extras, askedBefore } = lease
  // A new upstream conversation does not know what the old one asked.
  const fields = strategy.readsForms && !contextReset ? (askedBefore?.fields ?? []) : []
  const form = fields.length === 0 ? undefined : fields
  const { text, imageUrls } = message
  return { ...runContext(run), upstream, history, text, attachments, imageUrls, extras, form }
}

/** The upstream conversation that goes on; undefined: a new one is needed. */
function usableConversation(
  { upstream }: RunLease,
  { scope, kind }: ChatStrategy,
): string | undefined {
  if (upstream === undefined || upstream.strategy !== kind) return undefined
  return isSameScope(upstream.scope, scope) ? upstream.conversationId : undefined
}

/** Where the run of an orphan was sent. */
function sentTo({ upstream }: RunLease): UpstreamConversation {
  return upstream === undefined
    ? { type: 'named' }
    : { type: 'id', conversationId: upstream.conversationId }
}

/** An upstream id of a file means nothing to another account. */
function canReadAttachments({ lease, strategy: { scope } }: Run): boolean {
  return lease.attachments.every((attachment) => isSameScope(attachment.scope, scope))
}

function isGone(error: unknown): boolean {
  return (
    error instanceof RunFailedError && error.conversationGone && error.outcome === 'not-accepted'
  )
}
