import { describe, expect, it } from 'vitest'
import { openStage } from '../kit/stage.ts'

const query = '{ viewer { session } }'

describe('F26: a heap that is nearly full', () => {
  it('takes nothing new, and says so; health lives', async () => {
    await using stage = await openStage({
      limits: { maxHeapPercent: 1 },
      env: { NODE_OPTIONS: '--max-old-space-size=256' },
    })
    const who = stage.person('anybody')
    const refused = await stage.client.call({ token: who.token, query })
    expect(refused.status).toBe(503)
    expect(refused.body).toContain('"UNAVAILABLE"')
    expect(refused.headers['retry-after']).toBe('1')
    const health = async (path: string) =>
      (await fetch(`${stage.gateway.url}/health/${path}`)).status
    expect([await health('live'), await health('ready')]).toEqual([200, 503])
  })
})
