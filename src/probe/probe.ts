import type { AssistantId, Session, SessionName } from '../domain.ts'
import { type Finding, overallVerdict } from '../domain/isolation.ts'
import type { ProbeDepth, ProbeExchange, ProbeReport } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { ChatStrategy } from '../strategy/strategy.ts'
import { cleanUp } from './cleanup.ts'
import { adviseOnFinding, type Driven } from './finding-advice.ts'
import { finding, findingsOfTrials } from './findings.ts'
import { createForeignEvents } from './foreign-events.ts'
import { createLayerTests } from './layer-tests.ts'
import { phrasings } from './marker.ts'
import { BudgetError, createBudget, createProbeSessions, type ProbeSession } from './session.ts'
import { runTrial, type Trial } from './trial.ts'

export interface ProbeOptions extends ProbeDepth, Omit<Driven, 'strategy'> {
  readonly assistantId: AssistantId
  readonly strategy: ChatStrategy
  readonly records: AssistantRecords
  /** The answers to questions that the assistant asks before it answers. Default: none. */
  readonly answers?: readonly string[] | undefined
  /** Describes a failure and what to change. */
  readonly describe: (error: Error) => string
  readonly clock: Clock
  readonly newId: NewId
  /** Called with a sentence without secrets for each step. */
  readonly onProgress?: ((step: string) => void) | undefined
}

/** A probe could not test anything, because the platform did not answer. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError'
}

const callsPerTrial = 24
const messagesPerTrial = 11
const callsPerQuestion = 7
const callsPerFact = 4

/** How many messages of a conversation are listed. */
const maxListed = 50

/** The most upstream calls that a probe makes. `answers`: how many questions of the assistant are answered. */
export function estimateCalls(
  { trials, budget, questionTrigger, knowledge = [] }: ProbeDepth,
  answers: number,
): number {
  const wanted =
    trials * (callsPerTrial + messagesPerTrial * answers) +
    (questionTrigger === undefined ? 0 : callsPerQuestion) +
    knowledge.length * (callsPerFact + 2 * answers)
  return Math.min(wanted, budget)
}

/**
 * Finds out whether an assistant keeps sessions apart. Sessions that no user has are told secrets, and are asked for each
 * other's, through the strategy that serves users.
 * @throws {@link ProbeError} when nothing could be tested; the signal's reason.
 */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeReport> {
  const { assistantId, strategy, records, platform, hasSharedToken, clock, newId } = options
  const { answers = [], knowledge = [], onProgress = () => undefined } = options
  const driven = { strategy: strategy.kind, platform, hasSharedToken }
  const startedAt = clock.now()
  const budget = createBudget(options.budget)
  const foreignEvents = createForeignEvents(clock)
  const exchanges: ProbeExchange[] = []
  const openSession = createProbeSessions({
    strategy,
    answers,
    newId,
    budget,
    foreignEvents,
    clock,
    onExchange: (exchange) => void exchanges.push(exchange),
    signal,
  })
  const sessions: ProbeSession[] = []
  const newSession = (name?: SessionName) => {
    const session = openSession(name)
    sessions.push(session)
    return session
  }
  const tests = createLayerTests({ driven, newSession, clock, onProgress })
  let remains: readonly string[] = []
  const findings: Finding[] = []
  try {
    findings.push(...(await testConversations()))
    findings.push(await attempt('knowledge', () => tests.knowledge(knowledge)))
    findings.push(
      await attempt('pending-question', () => tests.pendingQuestion(options.questionTrigger)),
    )
    findings.push(tests.identity())
    findings.splice(0, findings.length, ...findings.map(withForeignEvents))
  } finally {
    onProgress('deleting what the probe has made on the platform')
    remains = await cleanUp(sessions, { records, platform, clock })
  }
  return {
    assistantId,
    strategy: strategy.kind,
    startedAt,
    endedAt: clock.now(),
    calls: budget.spent,
    verdict: overallVerdict(findings),
    findings,
    exchanges,
    remains,
  }

  async function testConversations(): Promise<readonly Finding[]> {
    const trials: Trial[] = []
    const count = options.trials
    let failure: unknown
    for (let number = 1; number <= count; number += 1) {
      onProgress(
        `trial ${number} of ${count}: two sessions are told a secret each, and are asked for the other's`,
      )
      try {
        const phrasing = phrasings[(number - 1) % phrasings.length] ?? phrasings[0]
        const calls = { readVariables, clearVariables, checkListing }
        trials.push(await runTrial({ newSession, newId, phrasing, ...calls }))
      } catch (error) {
        if (!isExpected(error)) throw error
        failure = error
        onProgress(`trial ${number} was not finished: ${options.describe(error)}`)
        if (error instanceof BudgetError) break
      }
      if (foreignEvents.found.length > 0 || judge(trials).some(isLeak)) break
    }
    if (trials.length === 0 && foreignEvents.found.length === 0) {
      const why = failure instanceof Error ? ` ${options.describe(failure)}` : ''
      throw new ProbeError(`The assistant could not be tested:${why}`)
    }
    return judge(trials)
  }

  function judge(trials: readonly Trial[]): readonly Finding[] {
    return findingsOfTrials(trials, { ...driven, at: clock.now() })
  }

  /** The platform may list messages of other conversations. */
  async function checkListing({ session }: ProbeSession, conversationId: string): Promise<void> {
    budget.spend(1)
    try {
      const request = { conversationId, before: undefined, limit: maxListed }
      const rows = await records.listOlder(session, request, signal)
      foreignEvents.listed(conversationId, rows)
    } catch (error) {
      // It is not documented whether an app's conversation can be listed, so a refusal proves nothing.
      if (!(error instanceof RunFailedError)) throw error
    }
  }

  /** An event that the guard would treat as a breach is a leak of conversations, whatever the assistant recalls. */
  function withForeignEvents(judged: Finding): Finding {
    const [first] = foreignEvents.found
    if (judged.layer !== 'conversation' || first === undefined) return judged
    const evidence = [...judged.evidence, ...foreignEvents.found]
    if (judged.verdict === 'LEAKING') return { ...judged, evidence }
    return {
      ...finding('conversation', 'LEAKING', first.what),
      ...adviseOnFinding('conversation', driven),
      evidence,
    }
  }

  async function readVariables(session: Session): Promise<readonly string[] | undefined> {
    budget.spend(1)
    return await records.listVariables(session, signal)
  }

  async function clearVariables(session: Session): Promise<boolean> {
    budget.spend(2)
    return (await records.clearVariables(session, signal)) === 'emptied'
  }

  async function attempt(layer: Finding['layer'], test: () => Promise<Finding>): Promise<Finding> {
    try {
      return await test()
    } catch (error) {
      if (!isExpected(error)) throw error
      const reason = `The layer could not be tested: ${options.describe(error)}`
      return finding(layer, 'INCONCLUSIVE', reason)
    }
  }
}

function isLeak({ verdict }: Finding): boolean {
  return verdict === 'LEAKING'
}

function isExpected(error: unknown): error is RunFailedError | BudgetError {
  return error instanceof RunFailedError || error instanceof BudgetError
}
