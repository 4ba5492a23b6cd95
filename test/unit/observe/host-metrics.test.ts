import { describe, expect, it } from 'vitest'
import { createHostMetrics } from '../../../src/observe/host-metrics.ts'
import { uncounted } from '../../kit/fakes/metrics.ts'

describe('metrics of a host', () => {
  it('that throw break nothing, and are logged once for each method', () => {
    const logged: unknown[] = []
    const metrics = createHostMetrics(
      {
        ...uncounted,
        requestAnswered() {
          throw new Error('no connection to the collector')
        },
      },
      { error: (fields: object) => void logged.push(fields) },
    )
    for (let n = 0; n < 3; n += 1) metrics.requestAnswered('query', 200, n)
    expect(logged).toEqual([{ err: expect.any(Error), method: 'requestAnswered' }])
  })

  it('are told what is counted, as methods of their own', () => {
    const counter = {
      ...uncounted,
      count: 0,
      subscriptionOpened() {
        this.count += 1
      },
    }
    const metrics = createHostMetrics(counter, { error: () => undefined })
    metrics.subscriptionOpened()
    expect(counter.count).toBe(1)
  })
})
