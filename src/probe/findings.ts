import type { Evidence, Finding, LayerVerdict, ProbeLayer } from '../domain/isolation.ts'
import { adviceFor, type Driven } from './remedies.ts'
import type { Recall, Trial } from './trial.ts'

/** What trials say of the layers that they can tell apart; one that another leak hides is NOT_TESTED. */
export function findingsOfTrials(
  trials: readonly Trial[],
  { at, ...driven }: Driven & { readonly at: number },
): readonly Finding[] {
  const isShared = trials.some((trial) => trial.isShared)
  const isInvented = trials.some((trial) => trial.invented)
  const heard = trials.filter(({ own }) => own.every(({ told }) => told))
  const trustworthy = isInvented ? [] : heard
  // A form at the beginning takes every message for its answer.
  const asks = trials.some(({ isAsking }) => isAsking)
    ? ' It asked for something before it answered: tell it by the assistant\'s "probe.answers".'
    : ''
  const doubt = isInvented
    ? 'The assistant told a secret that nobody had told it: its answers prove nothing.'
    : `The assistant did not recall what the same session had told it in the same conversation: what it does not tell proves nothing.${asks}`
  return [admitted(judgeConversation()), judgeVariables(), judgeMemory()]

  function judgeConversation(): Finding {
    if (isShared) {
      return leak('conversation', 'Two sessions were given one upstream conversation.', [])
    }
    if (trustworthy.length === 0) return finding('conversation', 'INCONCLUSIVE', doubt)
    const leaking = trustworthy.filter(crossed)
    const hidden = leaking.filter(({ fresh }) => !fresh.told)
    if (hidden.length > 0) {
      return leak(
        'conversation',
        "A session was told another's secret, which that one itself does not recall elsewhere.",
        hidden.flatMap(({ cross }) => cross),
      )
    }
    return leaking.length > 0
      ? finding('conversation', 'NOT_TESTED', 'A leak of variables or memory hides it.')
      : isolated(
          'conversation',
          'No session was told what another had said.',
          trustworthy.reduce((count, { cross }) => count + cross.length, 0),
        )
  }

  /** What would leak if a name or an id got out, which those of the gateway do not. */
  function admitted(found: Finding): Finding {
    const tries = trials.flatMap(({ strangerAccess }) => strangerAccess ?? [])
    const isByName = tries.some(({ byName }) => byName)
    if (found.verdict === 'LEAKING' || !(isByName || tries.some(({ byId }) => byId))) return found
    const [what, cause] = isByName
      ? (['name', 'conversation-name'] as const)
      : (['id', 'conversation-id'] as const)
    const seen = `The platform lets a stranger into a conversation who knows its ${what}.`
    const logIds = tries.flatMap((tried) => tried.logIds)
    return {
      ...found,
      reason: `${found.reason} But beware: ${seen} Nobody can guess those of the gateway.`,
      ...adviceFor(cause, driven),
      evidence: [evidence(seen, logIds)],
    }
  }

  function judgeVariables(): Finding {
    const read = trials.flatMap(({ variables }) => variables ?? [])
    if (read.some(({ ofB }) => ofB)) {
      return leak('variables', "A session's variables hold another's secret.", [])
    }
    if (read.some(({ ofA }) => ofA)) {
      return isolated(
        'variables',
        'Only its own session has the secret in its variables.',
        read.filter(({ ofA }) => ofA).length,
      )
    }
    return finding(
      'variables',
      'NOT_TESTED',
      read.length > 0
        ? 'The assistant keeps nothing of it in variables.'
        : 'The variables cannot be read.',
    )
  }

  function judgeMemory(): Finding {
    const layer = 'long-term-memory'
    if (isShared) return finding(layer, 'NOT_TESTED', 'The shared conversation hides it.')
    if (trustworthy.length === 0) return finding(layer, 'INCONCLUSIVE', doubt)
    const seen = trustworthy.flatMap(memoryOf)
    const leaking = seen.filter(({ byB }) => byB.some(({ told }) => told))
    if (leaking.length > 0) {
      return leak(
        layer,
        'A session was told in a conversation of its own what another had said, and its variables do not hold it.',
        leaking.flatMap(({ byB }) => byB),
      )
    }
    const remembered = seen.filter(({ byA }) => byA.told)
    if (remembered.length > 0) {
      return isolated(
        layer,
        'What is remembered beyond a conversation is told to its own session only.',
        remembered.reduce((count, { byB }) => count + byB.length, 0),
      )
    }
    return finding(
      layer,
      'NOT_TESTED',
      seen.length > 0
        ? 'The assistant remembers nothing beyond a conversation.'
        : 'What the variables hold hides it.',
    )
  }

  function leak(layer: ProbeLayer, reason: string, recalls: readonly Recall[]): Finding {
    const logIds = recalls.flatMap(({ told, logId }) => (told && logId !== undefined ? logId : []))
    return {
      ...finding(layer, 'LEAKING', reason),
      ...adviceFor(layer, driven),
      evidence: [evidence(reason, logIds)],
    }
  }

  function evidence(what: string, logIds: readonly string[]): Evidence {
    return { at, what, logIds, sessions: [] }
  }
}

/** What shows memory that is no variable; nothing where variables hide it. */
function memoryOf(
  trial: Trial,
): readonly { readonly byA: Recall; readonly byB: readonly Recall[] }[] {
  const { variables, afterwards, fresh, cross } = trial
  if (variables?.ofA || variables?.ofB) {
    return afterwards ? [{ byA: afterwards.byA, byB: [afterwards.byB] }] : []
  }
  // What only a conversation keeps is no memory.
  return [{ byA: fresh, byB: fresh.told ? cross : [] }]
}

function crossed({ cross }: Trial): boolean {
  return cross.some(({ told }) => told)
}

export function finding(layer: ProbeLayer, verdict: LayerVerdict, reason: string): Finding {
  return { layer, verdict, reason, cause: null, remedy: null, evidence: [] }
}

/**
 * Nothing leaked, and how much that says: after `questions` questions without a leak, a share of leaking ones above the
 * stated bound would have shown itself in 95 of 100 such probes.
 */
export function isolated(layer: ProbeLayer, reason: string, questions: number): Finding {
  const bound = Math.ceil((1 - 0.05 ** (1 / questions)) * 100)
  const count = questions === 1 ? '1 cross question' : `${questions} cross questions`
  const strength = `This rests on ${count}: with 95 % confidence, at most ${bound} % of them would leak.`
  return finding(layer, 'ISOLATED', `${reason} ${strength}`)
}
