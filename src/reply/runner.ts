import type { QuestionField } from '../domain.ts'
import { breachFailures } from '../isolation/breaches.ts'
import type { Claim, Orphan } from '../store/ledger.ts'
import { LostReplyError } from '../store/log.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import type { ChatStrategy, StartRequest, UpstreamConversation } from '../strategy/strategy.ts'
import { type AssistantAccess, isSameScope } from './assistant-access.ts'
import { createEnding, failedEnd, type EndingOptions, unsentEnd } from './ending.ts'
import { createFollow, type Drive, type FollowOptions, unknownOutcome } from './follow.ts'
import type { Place } from './gate.ts'
import { runContext, type RunFacts, type SentRun } from './run-facts.ts'
import { runFailures } from './run-failures.ts'
import { CollisionError, createRunWrites, type RunWritesOptions } from './run-writes.ts'
import { isStopped } from './stop.ts'

export interface RunnerOptions
  extends
    Omit<EndingOptions, 'reportForeign'>,
    FollowOptions,
    RunWritesOptions,
    Pick<AssistantAccess, 'strategyOf' | 'serve'> {
  /** Older messages that seed a new upstream conversation. */
  readonly historyLength: number
  /** How long after it reached the head of its queue a reply may still start, in ms. */
  readonly queueExpiryMs: number
}

/** How a reply came to be claimed. */
export interface Turn {
  readonly place: Place
  /** It may have waited too long at the head: when it came there can say so. */
  readonly mayExpire: boolean
}

/** Drives claimed replies to their end, in the order of writes of the design (steps 3 to 7). */
export interface Runner {
  /**
   * Resolves when the reply has ended, was given back to the queue, was let go of while it waits for its session, or
   * turned out to be another's. A signal aborted with a {@link StopRequest} ends it as that asks.
   * One without a place is given back, unless it has waited too long.
   */
  run(claim: Claim, turn: Turn, signal: AbortSignal): Promise<void>
  /** The same for a reply whose runner died. Nothing is ever sent again. */
  recover(orphan: Orphan, place: Place, signal: AbortSignal): Promise<void>
}

export function createRunner(options: RunnerOptions): Runner {
  const { ledger, clock, logger } = options
  const writes = createRunWrites(options)
  const ending = createEnding({
    ...options,
    reportForeign: (told, foreign) => writes.reportForeign(told, foreign),
  })
  const follow = createFollow(options, ending)

  async function run(claim: Claim, turn: Turn, signal: AbortSignal): Promise<void> {
    const { place, mayExpire } = turn
    if (mayExpire && clock.now() - claim.headSince >= options.queueExpiryMs) {
      return await ending.finish(claim, unsentEnd(runFailures.expired))
    }
    if (!place.isTaken && !isStopped(signal, 'cancel')) return await ending.giveBack(claim)
    const choice = options.serve(claim.reply.assistantId, claim.upstream?.strategy)
    if (choice === undefined) {
      return await ending.finish(claim, unsentEnd(runFailures.unconfigured))
    }
    if (choice.strategy === undefined) {
      return await ending.finish(claim, unsentEnd(breachFailures.outOfService))
    }
    const known = usableConversation(claim, choice.strategy)
    const moved = claim.upstream !== undefined && known === undefined
    const contextReset = claim.contextReset || moved
    const drive = { place, signal, spentMs: 0 }
    await attempt({ claim, ...choice, contextReset, reader: undefined }, known, drive)
  }

  /** Steps 3 to 7; a second time only where the upstream is known to have accepted nothing (F41). */
  async function attempt(facts: RunFacts, known: string | undefined, drive: Drive): Promise<void> {
    const { claim } = facts
    const { signal } = drive
    let upstream: UpstreamConversation | undefined
    let sent: SentRun | undefined
    try {
      if (!canReadAttachments(facts)) throw foreignAttachment
      upstream = await writes.obtain(facts, known, signal)
      const request = await requestOf(facts, upstream)
      if (!(await writes.intend(facts, signal))) return
      const { history } = request
      const reader = writes.openReader(facts, upstream, { type: 'sent', history }, signal)
      sent = { ...facts, upstream, reader }
      const { strategy } = facts
      await follow.read(sent, (take) => strategy.start(request, take, signal), drive)
    } catch (error) {
      if (error instanceof LostReplyError) return
      if (sent === undefined && isStopped(signal, 'shutdown')) return await ending.giveBack(claim)
      const isKnown = known !== undefined
      // A conversation that a call has just made is none for the run: its name obtains it instead.
      const mayName = upstream?.type === 'id' && facts.strategy.opensByName
      if (isGone(error) && (isKnown || mayName) && sent?.reader.chatId === undefined) {
        logger.info({ reply: claim.reply.id }, 'upstream conversation is gone, beginning a new one')
        const renewed = { ...claim, generation: claim.generation + 1 }
        const contextReset = facts.contextReset || isKnown
        return await attempt({ ...facts, claim: renewed, contextReset }, undefined, drive)
      }
      // Who meets it only now goes on where the assistant is served by then; the first is told.
      if (error instanceof CollisionError && !error.isNew && sent === undefined) {
        const other = options.serve(claim.reply.assistantId, facts.strategy.kind)
        if (other?.strategy !== undefined && other.strategy !== facts.strategy) {
          return await attempt({ ...facts, ...other }, undefined, drive)
        }
      }
      return await follow.fail(sent ?? facts, error, drive)
    }
    await follow.goOn(sent, drive)
  }

  async function requestOf(
    { claim, contextReset, strategy }: RunFacts,
    upstream: UpstreamConversation,
  ): Promise<StartRequest> {
    const { session, reply, message, attachments, extras } = claim
    const { historyLength } = options
    const history = contextReset ? await ledger.history(session, reply.id, historyLength) : []
    // A new upstream conversation does not know what the old one asked.
    const form = strategy.readsForms && !contextReset ? await findForm(claim) : undefined
    const { text } = message
    return { ...runContext(claim), upstream, history, text, attachments, extras, form }
  }

  /** The fields of the form that the last answer of the conversation asked to fill in. */
  async function findForm({
    session,
    reply,
  }: Claim): Promise<readonly QuestionField[] | undefined> {
    const [last] = await ledger.history(session, reply.id, 1)
    if (last === undefined) return undefined
    const [before] = await ledger.session(session).replies([last.replyId])
    const fields = before?.question?.fields ?? []
    return fields.length === 0 ? undefined : fields
  }

  async function recover(orphan: Orphan, place: Place, signal: AbortSignal): Promise<void> {
    const { reply, progress, upstream } = orphan
    // A reply that a message has interrupted must not come to the head of the queue again.
    const isUnsent = progress.step === 'claimed'
    if (isUnsent && !isStopped(signal, 'cancel')) return await ending.giveBack(orphan)
    const choice = options.strategyOf(reply.assistantId, upstream?.strategy)
    if (choice === undefined) {
      return await ending.finish(orphan, failedEnd(runFailures.unconfigured, true, undefined))
    }
    const facts = { claim: orphan, ...choice, contextReset: reply.contextReset, reader: undefined }
    if (isUnsent) return await ending.finish(orphan, await ending.explain(facts, undefined, signal))
    const drive = { place, signal, spentMs: 0 }
    const where = sentTo(orphan)
    const run = { ...facts, upstream: where, reader: readerOf(orphan, facts, where, signal) }
    if (progress.step === 'action') {
      const { expiresAt } = progress
      return await follow.goOn(run, drive, expiresAt)
    }
    if (!(await writes.restate(orphan))) return
    if (progress.step === 'revealed') {
      return await ending.finish(orphan, await ending.explain(run, unknownOutcome, signal))
    }
    await follow.lookUp(run, run.reader.chatId, unknownOutcome, drive)
  }

  function readerOf(
    { progress }: Orphan,
    facts: RunFacts,
    where: UpstreamConversation,
    signal: AbortSignal,
  ) {
    if (where.type === 'named' || !('chatId' in progress)) {
      const nothing = { type: 'lost', run: undefined, waitsFor: undefined } as const
      return writes.openReader(facts, where, nothing, signal)
    }
    const { conversationId } = where
    const { chatId } = progress
    const waitsFor = progress.step === 'action' ? progress.toolCalls : undefined
    const lost = { type: 'lost', run: { chatId, conversationId }, waitsFor } as const
    return writes.openReader(facts, where, lost, signal)
  }

  return { run, recover }
}

const foreignAttachment = new RunFailedError(runFailures.foreignAttachment, {
  outcome: 'not-accepted',
})

/** The upstream conversation that goes on; undefined: a new one is needed. */
function usableConversation(
  { upstream }: Claim,
  { scope, kind }: ChatStrategy,
): string | undefined {
  if (upstream === undefined || upstream.strategy !== kind) return undefined
  return isSameScope(upstream.scope, scope) ? upstream.conversationId : undefined
}

/** Where the run of an orphan was sent. */
function sentTo({ upstream }: Orphan): UpstreamConversation {
  return upstream === undefined
    ? { type: 'named' }
    : { type: 'id', conversationId: upstream.conversationId }
}

/** An upstream id of a file means nothing to another account. */
function canReadAttachments({ claim, strategy: { scope } }: RunFacts): boolean {
  return claim.attachments.every((attachment) => isSameScope(attachment.scope, scope))
}

function isGone(error: unknown): boolean {
  return (
    error instanceof RunFailedError && error.conversationGone && error.outcome === 'not-accepted'
  )
}
