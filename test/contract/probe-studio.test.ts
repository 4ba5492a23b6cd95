import { randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import type { Finding } from '../../src/domain/isolation.ts'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import { probeConfig } from '../../src/compose/probe.ts'

/** Probes a Workflow and a Bot of a self-hosted Studio, whose one token the operator has accepted. */
async function probeStudio(more: EmulatorOptions = {}, depth: { questionTrigger?: string } = {}) {
  const emulator = createEmulator({
    dialect: 'studio',
    personalAccessTokens: [{ token: 'pat_1', accountId: 'owner' }],
    workflows: [{ workflowId: '7001', appId: '7002' }],
    bots: [{ botId: '7003' }],
    wordsPerSecond: 0,
    ...more,
  })
  onTestFinished(() => emulator[Symbol.asyncDispose]())
  const { url } = await emulator.listen()
  const credentials = { type: 'token', token: 'pat_1', allowSharedToken: true }
  const common = { baseUrl: url, credentials, requireProof: true }
  const workflow = { workflowId: '7001', appId: '7002' }
  const config = parseConfig({
    env: {},
    json: {
      issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: randomUUID() }],
      session: { key: randomUUID(), nameKeys: [{ version: 1, key: randomUUID() }] },
      assistants: [
        { ...common, id: 'flow', name: 'Flow', strategy: 'workflow', workflow },
        { ...common, id: 'bot', name: 'Bot', strategy: 'bot', bot: { botId: '7003' } },
      ],
      store: 'sqlite::memory:',
    },
  })
  const signal = new AbortController().signal
  const reports = await probeConfig(config, { trials: 1, ...depth }, {}, signal)
  const layer = (id: string, name: Finding['layer']) =>
    reports
      .find(({ assistantId }) => assistantId === id)
      ?.findings.find((finding) => finding.layer === name)
  const remains = reports.flatMap((report) => report.remains).join(' ')
  return { verdicts: reports.map(({ verdict }) => verdict), remains, layer }
}

describe('a probe of a self-hosted Studio', () => {
  it('finds it isolated, so that a proof can be required: the accepted token blocks no verdict', async () => {
    const { verdicts, remains, layer } = await probeStudio()
    expect(remains).toContain('what a Studio only hides when it is deleted')
    expect(remains).not.toContain('long-term memory')
    expect(verdicts).toEqual(['ISOLATED', 'ISOLATED'])
    expect(layer('flow', 'identity')).toMatchObject({
      verdict: 'NOT_TESTED',
      reason: expect.stringContaining('allowSharedToken'),
    })
    for (const id of ['flow', 'bot']) {
      expect(layer(id, 'identity')?.remedy).not.toContain('OAuth app of type JWT')
    }
  })

  it('blames nodes with a fixed name for what outlives a conversation, not a node that it has not', async () => {
    const { verdicts, layer } = await probeStudio({ leaks: { fixedNodeNames: true } })
    expect(verdicts).toEqual(['LEAKING', 'ISOLATED'])
    const { cause, remedy } = layer('flow', 'long-term-memory') ?? {}
    expect(remedy).toContain('会话名称')
    expect(cause).toContain('消息节点')
    expect(`${cause} ${remedy}`).not.toMatch(/长期记忆节点|按会话隔离|support/)
  })

  it('tests a pending question, which is answered by the next message of its conversation', async () => {
    const asking = { questionTrigger: '/ask Which parcel?' }
    const { layer } = await probeStudio({}, asking)
    expect(layer('flow', 'pending-question')).toMatchObject({ verdict: 'ISOLATED' })
    const leaking = await probeStudio({ leaks: { sharedQuestion: true } }, asking)
    expect(leaking.layer('flow', 'pending-question')).toMatchObject({ verdict: 'LEAKING' })
  })
})
