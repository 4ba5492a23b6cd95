import { describe, expect, it } from 'vitest'
import type { UpstreamFailure } from '../../../src/domain/upstream.ts'
import { createUpstreamFailureLog } from '../../../src/observe/upstream-failures.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { silentLogger } from '../../kit/fakes/logger.ts'

const refused: UpstreamFailure = {
  call: 'upload',
  host: 'api.coze.test',
  kind: 'file',
  systemCode: undefined,
  upstreamCode: '4302',
  httpStatus: 400,
  logId: 'log-1',
}

function open() {
  const clock = createFakeClock()
  const lines: Readonly<Record<string, unknown>>[] = []
  const logger = { ...silentLogger, warn: (fields: (typeof lines)[number]) => lines.push(fields) }
  return { clock, lines, failures: createUpstreamFailureLog({ clock, logger }) }
}

describe('the log of failed upstream calls', () => {
  it('has a line for each of the first ten, and one a minute for all that a caller provokes beyond them', () => {
    const { clock, lines, failures } = open()
    for (let nth = 0; nth < 1_000; nth += 1) failures.failed({ ...refused, logId: `log-${nth}` })
    expect(lines).toHaveLength(10)
    expect(lines[0]).toEqual({ ...refused, logId: 'log-0', count: 1 })
    clock.advance(60_000)
    expect(lines.slice(10)).toEqual([{ ...refused, logId: 'log-999', count: 990 }])
    for (let nth = 0; nth < 5; nth += 1) failures.failed(refused)
    clock.advance(60_000)
    expect(lines.slice(11)).toEqual([{ ...refused, count: 5 }])
  })

  it('warns of nothing that is gone on without: a conversation that is not there any more', () => {
    const told: string[] = []
    const logger = {
      ...silentLogger,
      info: () => void told.push('info'),
      warn: () => void told.push('warn'),
    }
    using failures = createUpstreamFailureLog({ clock: createFakeClock(), logger })
    failures.failed({ ...refused, call: 'list-messages', kind: 'conversation-gone' })
    failures.failed(refused)
    expect(told).toEqual(['info', 'warn'])
  })

  it('makes no kinds of what an upstream may choose, and keeps calls and causes apart', () => {
    const { lines, failures } = open()
    for (let nth = 0; nth < 100; nth += 1) {
      failures.failed({ ...refused, upstreamCode: `${nth}`, logId: `log-${nth}` })
    }
    expect(lines).toHaveLength(10)
    failures.failed({ ...refused, call: 'cancel-chat' })
    failures.failed({ ...refused, kind: 'unavailable', systemCode: 'ENOTFOUND' })
    failures.failed({ ...refused, host: 'api.coze.cn' })
    expect(lines).toHaveLength(13)
  })

  it('leaves no timer behind', () => {
    const { clock, failures } = open()
    failures.failed(refused)
    failures[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })
})
