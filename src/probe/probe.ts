import type { AssistantId, Platform, Session, SessionName } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { NewId } from '../lib/id.ts'
import type { AssistantRecords } from '../strategy/records.ts'
import { RunFailedError } from '../strategy/run-failure.ts'
import type { ChatStrategy } from '../strategy/strategy.ts'
import { phrasings, tells } from './canary.ts'
import { type Finding, overallVerdict } from '../domain/isolation.ts'
import type { ProbeDepth, ProbeExchange, ProbeReport } from '../domain/probe.ts'
import { finding, isolated, findingsOfTrials } from './findings.ts'
import { createCleanup } from './cleanup.ts'
import { adviceFor } from './remedies.ts'
import { createForeignEvents } from './foreign-events.ts'
import { BudgetError, createBudget, createProbeSessions, type ProbeSession } from './session.ts'
import { runTrial, type Trial } from './trial.ts'

export interface ProbeOptions extends ProbeDepth {
  readonly assistantId: AssistantId
  readonly strategy: ChatStrategy
  readonly records: AssistantRecords
  readonly platform: Platform
  /** One upstream identity serves all sessions, as the operator has accepted. */
  readonly hasSharedToken: boolean
  /** To what the assistant asks before it answers. Default none. */
  readonly answers?: readonly string[] | undefined
  /** The failure, and what to change. */
  readonly describe: (error: Error) => string
  readonly clock: Clock
  readonly newId: NewId
  /** Hears what is going on: sentences without secrets. */
  readonly onProgress?: ((step: string) => void) | undefined
}

/** Nothing could be said: the upstream did not answer. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError'
}

const callsPerTrial = 24
const messagesPerTrial = 11
const callsPerQuestion = 7
const callsPerKnowledge = 4

/** Messages of a conversation that are listed. */
const maxListed = 50

/** Upstream calls that a probe makes at most. `answers`: given to what the assistant asks before it answers. */
export function estimateCalls(
  { trials, budget, questionTrigger, knowledge = [] }: ProbeDepth,
  answers: number,
): number {
  const wanted =
    trials * (callsPerTrial + messagesPerTrial * answers) +
    (questionTrigger === undefined ? 0 : callsPerQuestion) +
    knowledge.length * (callsPerKnowledge + 2 * answers)
  return Math.min(wanted, budget)
}

/**
 * Finds out whether an assistant keeps sessions apart: sessions that never were tell it secrets, and are asked for each
 * other's, through the strategy that serves users.
 * @throws {@link ProbeError} when nothing could be tried; the signal's reason.
 */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<ProbeReport> {
  const { assistantId, strategy, clock, newId, onProgress = () => undefined } = options
  const startedAt = clock.now()
  const budget = createBudget(options.budget)
  const left = createCleanup()
  const foreignEvents = createForeignEvents(clock)
  const exchanges: ProbeExchange[] = []
  const { answers = [], platform } = options
  const openProber = createProbeSessions({
    strategy,
    answers,
    newId,
    budget,
    foreignEvents,
    clock,
    onExchange: (exchange) => void exchanges.push(exchange),
    signal,
  })
  const newProber = (name?: SessionName) => left.watch(openProber(name))
  let remains: readonly string[] = []
  const findings: Finding[] = []
  try {
    findings.push(...(await testConversations()))
    findings.push(await testKnowledge())
    findings.push(await testQuestion())
    findings.push(judgeIdentity())
    findings.splice(0, findings.length, ...findings.map(withStrays))
  } finally {
    onProgress('taking away what the probe has left')
    remains = await left.cleanUp(options.records, platform, clock)
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
        `trial ${number} of ${count}: two sessions tell a secret each, and are asked for the other's`,
      )
      try {
        const phrasing = phrasings[(number - 1) % phrasings.length] ?? phrasings[0]
        trials.push(
          await runTrial({ newProber, newId, phrasing, readVariables, clearVariables, look }),
        )
      } catch (error) {
        if (!isExpected(error)) throw error
        failure = error
        onProgress(`trial ${number} was not finished: ${options.describe(error)}`)
        if (error instanceof BudgetError) break
      }
      if (foreignEvents.found.length > 0 || judge(trials).some(leaks)) break
    }
    if (trials.length === 0 && foreignEvents.found.length === 0) {
      const why = failure instanceof Error ? ` ${options.describe(failure)}` : ''
      throw new ProbeError(`The assistant could not be tried:${why}`)
    }
    return judge(trials)
  }

  function judge(trials: readonly Trial[]): readonly Finding[] {
    return findingsOfTrials(trials, { strategy: strategy.kind, platform, at: clock.now() })
  }

  /** Where the platform lists messages, it may list another's. */
  async function look({ session }: ProbeSession, conversationId: string): Promise<void> {
    budget.spend(1)
    try {
      const request = { conversationId, before: undefined, limit: maxListed }
      const rows = await options.records.listOlder(session, request, signal)
      foreignEvents.listed(conversationId, rows)
    } catch (error) {
      // Whether an app's conversation can be listed is not documented, and no call for it tells nothing.
      if (!(error instanceof RunFailedError)) throw error
    }
  }

  /** An event that the guard would have ended as a breach is a leak of conversations, whatever the assistant recalls. */
  function withStrays(judged: Finding): Finding {
    const [first] = foreignEvents.found
    if (judged.layer !== 'conversation' || first === undefined) return judged
    const evidence = [...judged.evidence, ...foreignEvents.found]
    if (judged.verdict === 'LEAKING') return { ...judged, evidence }
    return {
      ...finding('conversation', 'LEAKING', first.what),
      ...advice('conversation'),
      evidence,
    }
  }

  async function readVariables(session: Session): Promise<readonly string[] | undefined> {
    budget.spend(1)
    return await options.records.listVariables(session, signal)
  }

  async function clearVariables(session: Session): Promise<boolean> {
    budget.spend(2)
    return (await options.records.clearVariables(session, signal)) === 'emptied'
  }

  async function testKnowledge(): Promise<Finding> {
    const layer = 'knowledge'
    const canaries = options.knowledge ?? []
    if (canaries.length === 0) {
      return finding(layer, 'NOT_TESTED', 'No fact of a knowledge base was given to ask for.')
    }
    return await attempt(layer, async () => {
      for (const { sessionName, question, value } of canaries) {
        onProgress('knowledge: a stranger and the one it belongs to ask for a fact')
        const owner = await (await newProber(sessionName as SessionName).converse()).say(question)
        const stranger = await (await newProber().converse()).say(question)
        if (tells(stranger.text, value)) {
          const reason =
            'A stranger was told a fact of the knowledge base that is meant for one session.'
          const { logId } = stranger
          return {
            ...finding(layer, 'LEAKING', reason),
            ...advice(layer),
            evidence: [
              {
                at: clock.now(),
                what: reason,
                logIds: logId === undefined ? [] : [logId],
                sessions: [],
              },
            ],
          }
        }
        if (!tells(owner.text, value)) {
          return finding(layer, 'INCONCLUSIVE', 'Not even the one it belongs to was told the fact.')
        }
      }
      const reason = 'A fact was told to the one it belongs to, and to no stranger.'
      return isolated(layer, reason, canaries.length)
    })
  }

  async function testQuestion(): Promise<Finding> {
    const layer = 'pending-question'
    const { questionTrigger } = options
    if (questionTrigger === undefined) {
      return finding(layer, 'NOT_TESTED', 'No message was given that makes the assistant ask.')
    }
    return await attempt(layer, async () => {
      onProgress('pending question: one is asked, and another speaks')
      const greeting = 'Good morning.'
      const before = await (await newProber().converse()).sayOnce(greeting)
      const asked = await (await newProber().converse()).sayOnce(questionTrigger)
      if (asked.question === undefined) {
        return before.question === undefined
          ? finding(layer, 'NOT_TESTED', 'The message did not make the assistant ask and wait.')
          : finding(
              layer,
              'INCONCLUSIVE',
              'A stranger was asked before, and this message was not: it was taken for the answer, or makes the assistant ask nothing.',
            )
      }
      const meanwhile = await (await newProber().converse()).sayOnce(greeting)
      if (before.question !== undefined && meanwhile.question !== undefined) {
        const reason = 'The assistant asks everybody first, and a stranger was asked anew.'
        return isolated(layer, reason, 1)
      }
      if (before.question === undefined && !tells(meanwhile.text, asked.question)) {
        return isolated(layer, "A stranger's message was not taken for the answer.", 1)
      }
      if (before.question === undefined && tells(before.text, asked.question)) {
        return finding(layer, 'INCONCLUSIVE', 'The assistant asks everybody the same.')
      }
      const reason = "A stranger's message was taken for the answer to another's question."
      const { logId } = meanwhile
      return {
        ...finding(layer, 'LEAKING', reason),
        ...advice(layer),
        evidence: [
          {
            at: clock.now(),
            what: reason,
            logIds: logId === undefined ? [] : [logId],
            sessions: [],
          },
        ],
      }
    })
  }

  function advice(layer: Finding['layer']) {
    return adviceFor(layer, { strategy: strategy.kind, platform })
  }

  function judgeIdentity(): Finding {
    const layer = 'identity'
    return options.hasSharedToken
      ? {
          ...finding(
            layer,
            'NOT_TESTED',
            'All sessions share one access token, as "allowSharedToken" accepts: what keeps them apart is in the other layers.',
          ),
          ...advice(layer),
        }
      : finding(layer, 'ISOLATED', 'Each session has an access token of its own.')
  }

  async function attempt(layer: Finding['layer'], test: () => Promise<Finding>): Promise<Finding> {
    try {
      return await test()
    } catch (error) {
      if (!isExpected(error)) throw error
      return finding(layer, 'INCONCLUSIVE', `It could not be tried: ${options.describe(error)}`)
    }
  }
}

function leaks({ verdict }: Finding): boolean {
  return verdict === 'LEAKING'
}

function isExpected(error: unknown): error is RunFailedError | BudgetError {
  return error instanceof RunFailedError || error instanceof BudgetError
}
