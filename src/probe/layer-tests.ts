import type { SessionName } from '../domain.ts'
import type { Finding, LayerVerdict } from '../domain/isolation.ts'
import type { KnowledgeFact } from '../domain/probe.ts'
import type { Clock } from '../lib/clock.ts'
import { adviseOnFinding, type Driven } from './finding-advice.ts'
import { finding, isolated } from './findings.ts'
import { tells } from './marker.ts'
import type { ProbeSession, Said } from './session.ts'

/** The tests of the layers that trials do not reach. */
export interface LayerTests {
  /** Asks for facts of the knowledge base, as the session that each is meant for and as a stranger. */
  knowledge(facts: readonly KnowledgeFact[]): Promise<Finding>
  /** Has a question put to one session, and sends a message as another one. */
  pendingQuestion(trigger: string | undefined): Promise<Finding>
  identity(): Finding
}

export function createLayerTests(options: {
  readonly driven: Driven
  readonly newSession: (name?: SessionName) => ProbeSession
  readonly clock: Clock
  readonly onProgress: (step: string) => void
}): LayerTests {
  const { driven, newSession, clock, onProgress } = options
  const converse = async (name?: SessionName) => await newSession(name).converse()

  return {
    async knowledge(facts) {
      const layer = 'knowledge'
      if (facts.length === 0) {
        return finding(layer, 'NOT_TESTED', 'No fact of the knowledge base was given to ask for.')
      }
      for (const { sessionName, question, value } of facts) {
        onProgress('knowledge: its owner and a stranger ask for a fact')
        const owner = await (await converse(sessionName as SessionName)).say(question)
        const stranger = await (await converse()).say(question)
        if (tells(stranger.text, value)) {
          const reason = 'A stranger was told a fact that is meant for one session only.'
          return leak(layer, reason, stranger)
        }
        if (!tells(owner.text, value)) {
          const reason = 'Not even the session that the fact is meant for was told it.'
          return finding(layer, 'INCONCLUSIVE', reason)
        }
      }
      const reason = 'Each fact was told to the session that it is meant for, and to no stranger.'
      return isolated(layer, reason, facts.length)
    },
    async pendingQuestion(trigger) {
      const layer = 'pending-question'
      const judged = (verdict: LayerVerdict, reason: string) => finding(layer, verdict, reason)
      if (trigger === undefined) {
        const reason = 'No message was given that makes the assistant ask a question.'
        return judged('NOT_TESTED', reason)
      }
      onProgress('pending question: one session is asked, and another one sends a message')
      const greeting = 'Good morning.'
      const before = await (await converse()).sayOnce(greeting)
      const asked = await (await converse()).sayOnce(trigger)
      if (asked.question === undefined) {
        return before.question === undefined
          ? judged('NOT_TESTED', 'The message did not make the assistant ask a question and wait.')
          : judged(
              'INCONCLUSIVE',
              'The assistant asked the first stranger, but not the session that sent the given message. That message was taken for the answer, or it causes no question.',
            )
      }
      const meanwhile = await (await converse()).sayOnce(greeting)
      if (before.question !== undefined && meanwhile.question !== undefined) {
        const reason = 'The assistant first asks everybody, and it asked the stranger too.'
        return isolated(layer, reason, 1)
      }
      if (before.question === undefined && !tells(meanwhile.text, asked.question)) {
        return isolated(layer, 'The message of a stranger was not taken for the answer.', 1)
      }
      if (before.question === undefined && tells(before.text, asked.question)) {
        return judged('INCONCLUSIVE', 'The assistant asks everybody the same question.')
      }
      const reason =
        'The message of a stranger was taken for the answer to the question that another session was asked.'
      return leak(layer, reason, meanwhile)
    },
    identity() {
      const layer = 'identity'
      if (!driven.hasSharedToken) {
        return finding(layer, 'ISOLATED', 'Each session has an access token of its own.')
      }
      const reason =
        'All sessions share one access token, as "allowSharedToken" permits. The other layers have to keep them apart.'
      return { ...finding(layer, 'NOT_TESTED', reason), ...adviseOnFinding(layer, driven) }
    },
  }

  function leak(layer: 'knowledge' | 'pending-question', what: string, { logId }: Said): Finding {
    const logIds = logId === undefined ? [] : [logId]
    return {
      ...finding(layer, 'LEAKING', what),
      ...adviseOnFinding(layer, driven),
      evidence: [{ at: clock.now(), what, logIds, sessions: [] }],
    }
  }
}
