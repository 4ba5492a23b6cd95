import { describe, expect, it } from 'vitest'
import {
  createGateway,
  createPrometheusMetrics,
  parseConfig,
  StoreOpenError,
} from '../../src/index.ts'
import { silentLogger } from '../kit/fakes/logger.ts'

function configure(store: string) {
  return parseConfig({
    env: {},
    json: {
      issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: 's'.repeat(40) }],
      session: { key: 'k'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
      assistants: [
        {
          id: 'bot',
          name: 'Bot',
          strategy: 'bot',
          baseUrl: 'http://127.0.0.1:9',
          platform: 'studio',
          credentials: { type: 'token', token: 'pat_1', allowSharedToken: true },
          bot: { botId: '7003' },
        },
      ],
      store,
      probe: { checkAtStart: false },
    },
  })
}

describe('a user of the library', () => {
  it('gets the metrics of a gateway', async () => {
    const metrics = createPrometheusMetrics()
    const config = configure('sqlite::memory:')
    await using gateway = await createGateway(config, { logger: silentLogger, metrics })
    const refused = await gateway.fetch(
      new Request('https://gateway.test/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ viewer { id } }' }),
      }),
    )
    expect(refused.status).toBe(401)
    expect(await metrics.text()).toMatch(/coze_gateway_request_seconds_count\{.*status="401"\} 1/)
  })

  it('can tell a store that does not open from a mistake in the code', async () => {
    const config = configure('sqlite:/dev/null/gateway.db')
    await expect(createGateway(config, { logger: silentLogger })).rejects.toBeInstanceOf(
      StoreOpenError,
    )
  })
})
