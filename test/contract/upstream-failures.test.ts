import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { createGateway } from '../../src/compose/gateway.ts'
import { createLogger } from '../../src/observe/log.ts'
import { createPrometheusMetrics } from '../../src/observe/prometheus.ts'
import { apiKey, asBackend } from '../kit/credentials/api-keys.ts'
import { createRsaIssuer } from '../kit/credentials/issuer.ts'
import { answerCall } from '../kit/process/platform-calls.ts'
import { closedPort } from '../kit/process/unreachable.ts'
import { until } from '../kit/process/until.ts'

/** A gateway whose Bot is at `baseUrl`, and whose issuer of tokens has its keys where nothing listens. */
async function open(baseUrl: string) {
  const shop = apiKey('shop')
  const rsa = await createRsaIssuer()
  const keys = `http://127.0.0.1:${await closedPort()}/keys`
  let log = ''
  const logger = createLogger({ level: 'info', destination: { write: (line) => (log += line) } })
  const metrics = createPrometheusMetrics()
  const config = parseConfig({
    env: {},
    json: {
      issuers: [{ issuer: rsa.issuer, audience: 'gateway', algorithms: ['RS256'], jwksUrl: keys }],
      apiKeys: [shop.settings],
      session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
      assistants: [
        {
          id: 'bot',
          name: 'Bot',
          strategy: 'bot',
          baseUrl,
          credentials: { type: 'token', token: 'pat_x', allowSharedToken: true },
          bot: { botId: '1' },
        },
      ],
      store: 'sqlite::memory:',
      probe: { checkAtStart: false },
    },
  })
  const gateway = await createGateway(config, { logger, metrics })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  async function ask(query: string, credentials = asBackend(shop.key, 'alice')) {
    const headers = new Headers(credentials)
    headers.set('content-type', 'application/json')
    const response = await gateway.fetch(
      new Request('http://gateway.test/graphql', {
        method: 'POST',
        headers,
        body: JSON.stringify({ query }),
      }),
    )
    return { status: response.status, text: await response.text() }
  }
  const lines = (message: string): Record<string, unknown>[] =>
    log
      .split('\n')
      .filter((line) => line.includes(`"${message}"`))
      .map((line) => JSON.parse(line))
  return { ask, rsa, keys, lines, metrics, log: () => log }
}

const send = `mutation { sendMessage(input: { text: "a secret word", idempotencyKey: "k" }) {
  ... on SendMessageSuccess { reply { conversation { id } } } } }`

describe('an operator whose platform fails', () => {
  it('finds one line of the call with host and system code, and the reply that failed of it', async () => {
    const baseUrl = `http://127.0.0.1:${await closedPort()}`
    const { ask, lines, log } = await open(baseUrl)
    await ask(send)
    const [ended] = await until(async () => {
      const found = lines('upstream run failed')
      return found.length > 0 && found
    }, 'the end of the reply')
    const call = 'create-conversation'
    expect(lines('upstream call failed')).toEqual([
      expect.objectContaining({ call, host: new URL(baseUrl).host, systemCode: 'ECONNREFUSED' }),
    ])
    expect(ended).toMatchObject({ reply: expect.any(String), code: 'UPSTREAM_UNAVAILABLE', call })
    expect(log()).not.toMatch(/secret word|pat_x/)
  })

  it('finds one line of a key set that cannot be fetched, and its meter', async () => {
    const { ask, rsa, keys, lines, metrics } = await open('http://127.0.0.1:9')
    const headers = new Headers({ authorization: `Bearer ${await rsa.sign('alice')}` })
    const { status } = await ask('{ viewer { id } }', headers)
    expect(status).toBe(503)
    expect(lines('upstream call failed')).toEqual([
      expect.objectContaining({
        call: 'key-set',
        host: new URL(keys).host,
        systemCode: 'ECONNREFUSED',
      }),
    ])
    expect(await metrics.text()).toContain(
      'upstream_errors_total{call="key-set",kind="unavailable",code="ECONNREFUSED"} 1',
    )
  })

  it('finds one line of a deletion that the caller is only told of as what remains', async () => {
    const server = createServer((request, response) => {
      if (request.method !== 'DELETE') return void answerCall(request, response)
      response.writeHead(500, { 'x-tt-logid': 'log-1' }).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    const { ask, lines } = await open(`http://127.0.0.1:${port}`)
    const { text } = await ask(send)
    const id = /"conversation":\{"id":"([^"]+)"/.exec(text)?.[1]
    await until(async () => lines('reply ended').length === 1, 'the end of the reply')
    await ask(`mutation { deleteConversation(input: { conversationId: "${id}" }) { __typename } }`)
    const failed = () => lines('upstream call failed')
    await until(async () => failed().length > 0, 'the line of the deletion')
    expect(failed()).toEqual([
      expect.objectContaining({ call: 'delete-conversation', httpStatus: 500, logId: 'log-1' }),
    ])
  })
})
