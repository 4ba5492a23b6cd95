import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import type { AssistantId } from '../../../src/domain.ts'
import { openMetricsServer } from '../../../src/observe/metrics-server.ts'
import { createPrometheusMetrics } from '../../../src/observe/prometheus.ts'

describe('metrics', () => {
  it('count each fact under its own labels', async () => {
    const metrics = createPrometheusMetrics()
    metrics.replyEnded('COMPLETED', undefined)
    metrics.replyEnded('FAILED', 'UPSTREAM_TIMEOUT')
    metrics.firstDelta(120)
    metrics.tokenMinted('minted')
    metrics.subscriptionOpened()
    metrics.subscriptionOpened()
    metrics.subscriptionEnded('client-gone')
    metrics.upstreamOddity('late-delta')
    metrics.upstreamError('bot-chat', 'quota', '4011')
    metrics.upstreamRetried()
    const lines = (await metrics.text()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'coze_gateway_replies_ended_total{status="COMPLETED",code=""} 1',
        'coze_gateway_replies_ended_total{status="FAILED",code="UPSTREAM_TIMEOUT"} 1',
        'coze_gateway_first_delta_seconds_bucket{le="0.25"} 1',
        'coze_gateway_first_delta_seconds_bucket{le="0.1"} 0',
        'coze_gateway_access_tokens_total{outcome="minted"} 1',
        'coze_gateway_subscriptions_open 1',
        'coze_gateway_subscriptions_opened_total 2',
        'coze_gateway_subscriptions_ended_total{reason="client-gone"} 1',
        'coze_gateway_upstream_oddities_total{oddity="late-delta"} 1',
        'coze_gateway_upstream_errors_total{call="bot-chat",kind="quota",code="4011"} 1',
        'coze_gateway_upstream_retries_total 1',
      ]),
    )
  })

  it('tell of breaches before there are any, so that an alert sees the first', async () => {
    const metrics = createPrometheusMetrics()
    const breaches = 'coze_gateway_isolation_breaches_total{assistant="a",strategy="bot"}'
    metrics.isolationVerdict('a' as AssistantId, 'bot', 'UNPROVEN')
    expect(await metrics.text()).toContain(`${breaches} 0`)
    metrics.isolationBreach('a' as AssistantId, 'bot')
    metrics.isolationVerdict('a' as AssistantId, 'bot', 'BREACHED')
    expect(await metrics.text()).toContain(`${breaches} 1`)
  })

  it('have the type that their names promise: processor time is a counter, which only grows', async () => {
    const metrics = createPrometheusMetrics()
    const first = await metrics.text()
    const types = [...first.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({
      name,
      type,
    }))
    const totals = types.filter(({ name }) => name.endsWith('_total'))
    expect(totals).toContainEqual({ name: 'process_cpu_seconds_total', type: 'counter' })
    expect(totals.filter(({ type }) => type !== 'counter')).toEqual([])
    const secondsOf = (text: string) => Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1])
    const { user, system } = process.cpuUsage()
    const second = secondsOf(await metrics.text())
    expect(second).toBeGreaterThanOrEqual(secondsOf(first))
    expect(second).toBeGreaterThanOrEqual((user + system) / 1_000_000)
  })

  it('of two gateways in a process do not add up', async () => {
    const [one, other] = [createPrometheusMetrics(), createPrometheusMetrics()]
    one.subscriptionOpened()
    expect(await other.text()).toContain('coze_gateway_subscriptions_open 0')
  })

  it('are served on a port of their own, and nothing else is', async () => {
    const metrics = createPrometheusMetrics()
    await using server = await openMetricsServer({ host: '127.0.0.1', port: 0 }, metrics)
    const answer = await request(server.url)
    expect(answer.statusCode).toBe(200)
    expect(await answer.body.text()).toContain('process_resident_memory_bytes')
    const other = await request(new URL('/graphql', server.url))
    expect(other.statusCode).toBe(404)
    await other.body.dump()
  })

  it('say that their port is taken', async () => {
    const metrics = createPrometheusMetrics()
    await using server = await openMetricsServer({ host: '127.0.0.1', port: 0 }, metrics)
    const port = Number(new URL(server.url).port)
    await expect(openMetricsServer({ host: '127.0.0.1', port }, metrics)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})
