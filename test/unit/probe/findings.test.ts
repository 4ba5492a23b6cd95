import { describe, expect, it } from 'vitest'
import { type Finding, probeLayers } from '../../../src/domain/isolation.ts'
import {
  adviseOnFinding,
  type AdviceSubject,
  type Driven,
} from '../../../src/probe/finding-advice.ts'
import { findingsOfTrials } from '../../../src/probe/findings.ts'
import type { Recall, Trial } from '../../../src/probe/trial.ts'

const recalled: Recall = { told: true, logId: undefined }
const silent: Recall = { told: false, logId: undefined }

/** Each session recalls its own secret, and is asked `questions` times in all for the other's. */
function honestTrial(questions: number, more: Partial<Trial> = {}): Trial {
  return {
    isShared: false,
    isAsking: false,
    invented: false,
    own: [recalled, recalled],
    cross: Array.from({ length: questions }, () => silent),
    fresh: silent,
    variables: undefined,
    afterwards: undefined,
    strangerAccess: undefined,
    ...more,
  }
}

function reasonOf(layer: Finding['layer'], trials: readonly Trial[]): string | undefined {
  const findings = findingsOfTrials(trials, {
    strategy: 'bot',
    platform: 'cloud',
    hasSharedToken: false,
    at: 0,
  })
  return findings.find((found) => found.layer === layer && found.verdict === 'ISOLATED')?.reason
}

describe('an isolated layer', () => {
  it('says on how many cross questions it rests, and what share may leak all the same', () => {
    expect(reasonOf('conversation', [honestTrial(2), honestTrial(2), honestTrial(2)])).toContain(
      'This rests on 6 cross questions: with 95 % confidence, at most 40 % of them would leak.',
    )
    expect(reasonOf('conversation', [honestTrial(1)])).toContain(
      '1 cross question: with 95 % confidence, at most 95 % of them',
    )
  })

  it('rests on no question of a trial in which nobody recalled its own secret', () => {
    const deaf = honestTrial(2, { own: [silent, silent] })
    expect(reasonOf('conversation', [honestTrial(2), deaf])).toContain('2 cross questions')
  })

  it('counts of memory only the questions about what is remembered beyond a conversation', () => {
    const remembering = honestTrial(2, { fresh: recalled })
    expect(reasonOf('long-term-memory', [honestTrial(2), remembering])).toContain(
      '2 cross questions',
    )
  })
})

describe('the advice of a finding', () => {
  const everySubject = [
    ...probeLayers,
    'conversation-name',
    'conversation-id',
    'nothing-recalled',
    'form-unanswered',
    'answers-invented',
  ] as const satisfies readonly AdviceSubject[]
  const everyWay = (['workflow', 'bot'] as const).flatMap((strategy) =>
    (['cloud', 'studio'] as const).flatMap((platform) =>
      [false, true].map((hasSharedToken): Driven => ({ strategy, platform, hasSharedToken })),
    ),
  )

  it.each(everySubject)(
    'about %s says how sure it is, what to change, and where to read more',
    (subject) => {
      for (const driven of everyWay) {
        const { cause, remedy } = adviseOnFinding(subject, driven)
        expect(cause).toMatch(/^(Known|Likely|Not known): .+\.$/)
        expect(remedy).toMatch(/^[A-Z].+\. See docs\/[a-z-]+\.md#[a-z-]+\.$/)
      }
    },
  )

  it('names the token first where one token of the cloud serves all sessions', () => {
    for (const layer of ['conversation', 'variables', 'identity'] as const) {
      const shared = { strategy: 'workflow', platform: 'cloud', hasSharedToken: true } as const
      expect(adviseOnFinding(layer, shared).remedy).toContain('OAuth app of type JWT')
      const own = { ...shared, hasSharedToken: false }
      if (layer !== 'identity') {
        expect(adviseOnFinding(layer, own).remedy).not.toContain('OAuth app of type JWT')
      }
    }
  })

  it('does not send the operator of a Studio to what a Studio does not have', () => {
    for (const subject of probeLayers) {
      for (const strategy of ['workflow', 'bot'] as const) {
        const studio = { strategy, platform: 'studio', hasSharedToken: true } as const
        const { cause, remedy } = adviseOnFinding(subject, studio)
        expect(`${cause} ${remedy}`).not.toMatch(
          /长期记忆|按会话隔离|support|OAuth app of type JWT/,
        )
      }
    }
  })

  it('explains an inconclusive layer, even if a stranger could enter the conversation', () => {
    const trial = honestTrial(2, {
      own: [silent, silent],
      isAsking: true,
      strangerAccess: { byName: undefined, byId: true, logIds: ['log-1'] },
    })
    const [conversation] = findingsOfTrials([trial], {
      strategy: 'bot',
      platform: 'cloud',
      hasSharedToken: false,
      at: 0,
    })
    expect(conversation).toMatchObject({
      verdict: 'INCONCLUSIVE',
      remedy: expect.stringContaining('"probe.answers"'),
      evidence: [{ logIds: ['log-1'] }],
    })
  })
})
