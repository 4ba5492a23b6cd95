import { describe, expect, it } from 'vitest'
import { ForbiddenError, NotFoundError, UnauthenticatedError } from '../../../src/errors.ts'
import { createRefusalLog } from '../../../src/observe/refusals.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

const minuteMs = 60_000

function open() {
  const clock = createFakeClock()
  const lines: Readonly<Record<string, unknown>>[] = []
  const logger = { ...silentLogger, info: (fields: (typeof lines)[number]) => lines.push(fields) }
  return { clock, lines, refusals: createRefusalLog({ clock, logger }) }
}

const audience = () =>
  new UnauthenticatedError('A claim is not accepted.', {
    refusal: { issuer: 'https://id.test', claim: 'aud', expected: ['gateway'] },
  })

describe('the log of refusals', () => {
  it('has a line at once, and one a minute for all that follow, with their number', () => {
    const { clock, lines, refusals } = open()
    for (let count = 0; count < 1_000; count += 1) refusals.note(audience())
    expect(lines).toEqual([
      {
        reason: 'A claim is not accepted.',
        issuer: 'https://id.test',
        claim: 'aud',
        expected: ['gateway'],
        count: 1,
      },
    ])
    clock.advance(minuteMs)
    expect(lines.slice(1)).toEqual([expect.objectContaining({ claim: 'aud', count: 999 })])
    refusals.note(audience())
    clock.advance(minuteMs)
    expect(lines.slice(2)).toEqual([expect.objectContaining({ count: 1 })])
  })

  it('is silent after a minute without any, and then begins at once again', () => {
    const { clock, lines, refusals } = open()
    refusals.note(audience())
    clock.advance(minuteMs)
    expect(clock.pending).toBe(0)
    refusals.note(audience())
    expect(lines.map(({ count }) => count)).toEqual([1, 1])
  })

  it('counts kinds apart, and one error once, however often it passes', () => {
    const { lines, refusals } = open()
    const error = audience()
    refusals.note(error)
    refusals.note(error)
    refusals.note(new ForbiddenError('This is for operators only.'))
    expect(lines).toHaveLength(2)
  })

  it('keeps no kind apart by what a caller sent: a name that nobody verified makes no lines', () => {
    const { clock, lines, refusals } = open()
    for (let count = 0; count < 500; count += 1) {
      const refusal = { namedIssuer: `https://evil-${count}.test`, claim: 'iss' }
      refusals.note(new UnauthenticatedError('The token has an unknown issuer.', { refusal }))
    }
    expect(clock.pending).toBe(1)
    clock.advance(minuteMs)
    expect(lines.map(({ namedIssuer, count }) => [namedIssuer, count])).toEqual([
      ['https://evil-0.test', 1],
      ['https://evil-499.test', 499],
    ])
  })

  it('leaves other errors alone, and holds no timer once it is closed', () => {
    const { clock, lines, refusals } = open()
    refusals.note(new NotFoundError('There is nothing at this path.'))
    expect(lines).toEqual([])
    refusals.note(audience())
    refusals[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })
})
