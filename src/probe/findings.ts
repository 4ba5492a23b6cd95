import type { Evidence, Finding, LayerVerdict, ProbeLayer } from '../domain/isolation.ts'
import { type AdviceSubject, adviseOnFinding, type Driven } from './finding-advice.ts'
import type { Recall, Trial } from './trial.ts'

/** The findings of trials about the layers that they can tell apart. A layer that another leak hides is NOT_TESTED. */
export function findingsOfTrials(
  trials: readonly Trial[],
  { at, ...driven }: Driven & { readonly at: number },
): readonly Finding[] {
  const isShared = trials.some((trial) => trial.isShared)
  const isInvented = trials.some((trial) => trial.invented)
  const recalling = trials.filter(({ own }) => own.every(({ told }) => told))
  const trustworthy = isInvented ? [] : recalling
  return [withStrangerAccess(judgeConversation()), judgeVariables(), judgeMemory()]

  function judgeConversation(): Finding {
    if (isShared) {
      return leak('conversation', 'Two sessions were given one upstream conversation.', [])
    }
    if (trustworthy.length === 0) return inconclusive('conversation')
    const leaking = trustworthy.filter(isCrossed)
    const hidden = leaking.filter(({ fresh }) => !fresh.told)
    if (hidden.length > 0) {
      return leak(
        'conversation',
        'One session was told the secret of another, which the owner itself is not told in a new conversation.',
        hidden.flatMap(({ cross }) => cross),
      )
    }
    return leaking.length > 0
      ? finding('conversation', 'NOT_TESTED', 'A leak of variables or memory hides this layer.')
      : isolated(
          'conversation',
          'No session was told the secret of another.',
          trustworthy.reduce((count, { cross }) => count + cross.length, 0),
        )
  }

  /** Adds what would leak if a conversation's name or id were known, as those of the gateway never are. */
  function withStrangerAccess(found: Finding): Finding {
    const tries = trials.flatMap(({ strangerAccess }) => strangerAccess ?? [])
    const isByName = tries.some(({ byName }) => byName)
    if (found.verdict === 'LEAKING' || !(isByName || tries.some(({ byId }) => byId))) return found
    const [what, cause] = isByName
      ? (['name', 'conversation-name'] as const)
      : (['id', 'conversation-id'] as const)
    const seen = `The platform lets a stranger who knows the ${what} of a conversation into it.`
    const logIds = tries.flatMap((tried) => tried.logIds)
    return {
      ...found,
      reason: `${found.reason} Note: ${seen} Nobody can guess those of the gateway.`,
      ...(found.cause === null && adviseOnFinding(cause, driven)),
      evidence: [evidence(seen, logIds)],
    }
  }

  function judgeVariables(): Finding {
    const read = trials.flatMap(({ variables }) => variables ?? [])
    if (read.some(({ ofB }) => ofB)) {
      return leak('variables', 'The variables of one session hold the secret of another.', [])
    }
    if (read.some(({ ofA }) => ofA)) {
      return isolated(
        'variables',
        'Only the variables of its own session hold the secret.',
        read.filter(({ ofA }) => ofA).length,
      )
    }
    return finding(
      'variables',
      'NOT_TESTED',
      read.length > 0
        ? 'The assistant does not keep the secret in variables.'
        : 'The platform does not let the gateway read the variables.',
    )
  }

  function judgeMemory(): Finding {
    const layer = 'long-term-memory'
    if (isShared) return finding(layer, 'NOT_TESTED', 'The shared conversation hides this layer.')
    if (trustworthy.length === 0) return inconclusive(layer)
    const seen = trustworthy.flatMap(memoryOf)
    const leaking = seen.filter(({ byB }) => byB.some(({ told }) => told))
    if (leaking.length > 0) {
      return leak(
        layer,
        'In a conversation of its own, one session was told the secret of another, and its variables do not hold it.',
        leaking.flatMap(({ byB }) => byB),
      )
    }
    const remembered = seen.filter(({ byA }) => byA.told)
    if (remembered.length > 0) {
      return isolated(
        layer,
        'What the assistant remembers beyond a conversation was told to its own session only.',
        remembered.reduce((count, { byB }) => count + byB.length, 0),
      )
    }
    return finding(
      layer,
      'NOT_TESTED',
      seen.length > 0
        ? 'The assistant remembers nothing beyond a conversation.'
        : 'The variables hold the secret, and hide this layer.',
    )
  }

  function leak(layer: ProbeLayer, reason: string, recalls: readonly Recall[]): Finding {
    const logIds = recalls.flatMap(({ told, logId }) => (told && logId !== undefined ? logId : []))
    return {
      ...finding(layer, 'LEAKING', reason),
      ...adviseOnFinding(layer, driven),
      evidence: [evidence(reason, logIds)],
    }
  }

  function inconclusive(layer: ProbeLayer): Finding {
    const [subject, reason] = doubt()
    return { ...finding(layer, 'INCONCLUSIVE', reason), ...adviseOnFinding(subject, driven) }
  }

  /** Why the answers prove nothing. */
  function doubt(): readonly [AdviceSubject, string] {
    if (isInvented) {
      return ['answers-invented', 'The assistant said a secret that nobody had told it.']
    }
    // A form at the beginning takes every message for its answer.
    if (trials.some(({ isAsking }) => isAsking)) {
      return [
        'form-unanswered',
        'The assistant asked a question before it answered, and did not recall what the same session had told it.',
      ]
    }
    return [
      'nothing-recalled',
      'The assistant did not recall what the same session had told it in the same conversation, so it proves nothing that other sessions were not told it either.',
    ]
  }

  function evidence(what: string, logIds: readonly string[]): Evidence {
    return { at, what, logIds, sessions: [] }
  }
}

/** The questions that show memory other than variables; none if variables hide it. */
function memoryOf(
  trial: Trial,
): readonly { readonly byA: Recall; readonly byB: readonly Recall[] }[] {
  const { variables, afterwards, fresh, cross } = trial
  if (variables?.ofA || variables?.ofB) {
    return afterwards ? [{ byA: afterwards.byA, byB: [afterwards.byB] }] : []
  }
  // A secret that only its own conversation keeps is no memory.
  return [{ byA: fresh, byB: fresh.told ? cross : [] }]
}

function isCrossed({ cross }: Trial): boolean {
  return cross.some(({ told }) => told)
}

export function finding(layer: ProbeLayer, verdict: LayerVerdict, reason: string): Finding {
  return { layer, verdict, reason, cause: null, remedy: null, evidence: [] }
}

/**
 * An ISOLATED finding that states its strength: if a larger share of questions leaked than the bound says, 95 of 100 such
 * probes would have seen a leak among `questions` questions.
 */
export function isolated(layer: ProbeLayer, reason: string, questions: number): Finding {
  const bound = Math.ceil((1 - 0.05 ** (1 / questions)) * 100)
  const count = questions === 1 ? '1 cross question' : `${questions} cross questions`
  const strength = `This rests on ${count}: with 95 % confidence, at most ${bound} % of them would leak.`
  return finding(layer, 'ISOLATED', `${reason} ${strength}`)
}
