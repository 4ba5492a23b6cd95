import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../src/domain/isolation.ts'
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
  const findings = findingsOfTrials(trials, { strategy: 'bot', platform: 'cloud', at: 0 })
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
