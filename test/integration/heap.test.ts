import { describe, expect, it } from 'vitest'
import { startSystem } from '../kit/process/system.ts'

const query = '{ viewer { sessionFingerprint } }'

describe('F26: a heap that is nearly full', () => {
  it('takes nothing new, and says so; health lives', async () => {
    await using system = await startSystem({
      limits: { maxHeapPercent: 1 },
      env: { NODE_OPTIONS: '--max-old-space-size=256' },
    })
    const who = system.person('anybody')
    const refused = await system.client.call({ token: who.token, query })
    expect(refused.status).toBe(503)
    expect(refused.body).toContain('"UNAVAILABLE"')
    expect(refused.headers['retry-after']).toBe('1')
    const health = async (path: string) =>
      (await fetch(`${system.gateway.url}/health/${path}`)).status
    expect([await health('live'), await health('ready')]).toEqual([200, 503])
  })
})
