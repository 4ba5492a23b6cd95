import { describe, expect, it } from 'vitest'
import type { AssistantSettings } from '../../../src/config/sections/assistant.ts'
import { limitsSchema } from '../../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../../src/config/sections/timeouts.ts'
import type { AssistantId } from '../../../src/domain.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createPrometheusMetrics } from '../../../src/observe/prometheus.ts'
import { infoOf, createAssistants } from '../../../src/strategy/assistants.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { plain } from '../../kit/fakes/plain.ts'
import { collect, createRun } from '../../kit/fakes/runs.ts'
import { createScriptedCoze } from '../../kit/fakes/coze.ts'

const id = 'helper' as AssistantId
const common = {
  id,
  name: 'Helper',
  baseUrl: 'http://coze.test',
  credentials: { type: 'token', token: new Secret('shared') },
  platform: 'cloud',
  quota: { maxRunning: 10, startsPerSecond: 10 },
  onBreach: 'quarantine',
  imageHosts: [],
  requireProof: false,
  probe: { answers: [] },
} as const
const workflow = {
  workflowId: 'flow-1',
  appId: 'app-1',
  conversationKeying: 'auto',
  parameters: {},
  messageParameters: ['LANGUAGE', 'COUNT'],
  metadata: {},
  messageMetadata: ['team'],
  attachmentParameter: 'FILES',
  sessionParameter: 'SESSION_NAME',
} as const
const bot = {
  botId: 'bot-1',
  customVariables: {},
  messageVariables: ['LANGUAGE', 'MOOD'],
  metadata: {},
  messageMetadata: ['team', 'shift'],
  attachments: true,
  sessionVariable: 'SESSION_NAME',
} as const
const asWorkflow: AssistantSettings = { ...common, strategy: 'workflow', workflow }
const asBot: AssistantSettings = { ...common, strategy: 'bot', bot }
const asAuto: AssistantSettings = { ...common, strategy: 'auto', workflow, fallback: bot }

function open(...settings: readonly AssistantSettings[]) {
  const client = createScriptedCoze({})
  const assistants = createAssistants(settings, {
    client,
    clock: createFakeClock(),
    random: () => 0.5,
    newId: () => 'id',
    metrics: createPrometheusMetrics(),
    timeouts: timeoutsSchema.parse({}),
    limits: limitsSchema.parse({}),
    verdictOf: () => 'UNPROVEN',
  })
  return { client, assistants }
}

describe('what messages to an assistant may carry', () => {
  it.each([
    ['a Workflow', asWorkflow, ['LANGUAGE', 'COUNT'], ['team']],
    ['a Bot', asBot, ['LANGUAGE', 'MOOD'], ['team', 'shift']],
    ['both: what either way takes', asAuto, ['LANGUAGE'], ['team']],
  ])('%s', (_, settings, parameterNames, metadataNames) => {
    const takes = { parameterNames, metadataNames, acceptsAttachments: true, imageHosts: [] }
    const info = { id, name: 'Helper', ...takes }
    expect(infoOf(settings)).toEqual(info)
  })

  it.each([
    [asWorkflow, { ...workflow, attachmentParameter: undefined }, bot],
    [asBot, workflow, { ...bot, attachments: false }],
    [asAuto, { ...workflow, attachmentParameter: undefined }, bot],
    [asAuto, workflow, { ...bot, attachments: false }],
  ])('no files, where one way takes none (%#)', (settings, flow, other) => {
    const { strategy } = settings
    const parts = {
      workflow: { ...common, strategy: 'workflow', workflow: flow },
      bot: { ...common, strategy: 'bot', bot: other },
      auto: { ...common, strategy: 'auto', workflow: flow, fallback: other },
    } as const
    expect(infoOf(parts[strategy]).acceptsAttachments).toBe(false)
  })
})

describe('assistants', () => {
  it('are driven as configured, and say why', async () => {
    await using assistants = open(asAuto).assistants
    expect(assistants.strategyOf(id, undefined)).toMatchObject({
      strategy: { kind: 'workflow' },
      reason: 'the workflow is in service',
    })
    expect(assistants.strategyOf(id, 'bot')).toMatchObject({ strategy: { kind: 'bot' } })
    expect(assistants.strategyOf('other' as AssistantId, undefined)).toBeUndefined()
  })

  it.each([
    ['workflow', 600_000],
    ['bot', 120_000],
  ] as const)(
    'F10 F15: wait for a silent %s, and for any, as long as configured',
    async (kind, idleMs) => {
      const { client, assistants } = open(asAuto)
      await using _assistants = assistants
      const { strategy } = assistants.strategyOf(id, kind) ?? {}
      const upstream = { type: 'id', conversationId: 'up-1' } as const
      const request = { ...createRun('alice'), upstream, text: 'Hi', history: [], ...plain }
      await collect(async (take) => strategy?.start(request, take, new AbortController().signal))
      expect(client.timeouts).toEqual([{ firstEventMs: 60_000, totalMs: 600_000, idleMs }])
    },
  )

  it('say that a shared token keys nothing', async () => {
    await using assistants = open(asWorkflow).assistants
    const [identity] = assistants.strategyOf(id, undefined)?.strategy.layers ?? []
    expect(identity).toEqual({
      layer: 'identity',
      keyedBy: 'nothing: all sessions share one token',
    })
  })

  it.each([
    ['the Workflow of both', asAuto, undefined, { app_id: 'app-1' }],
    ['the Bot of both', asAuto, 'bot', { bot_id: 'bot-1' }],
    ['the only one', asBot, undefined, { bot_id: 'bot-1' }],
    ['the only one, whatever began the conversation', asBot, 'workflow', { bot_id: 'bot-1' }],
  ] as const)('keep the records of %s', async (_, settings, kind, owner) => {
    const { client, assistants } = open(settings)
    await using _assistants = assistants
    const records = assistants.recordsOf(id, kind)
    await records?.clearVariables(createRun('alice').session, new AbortController().signal)
    expect(client.sent).toMatchObject([{ query: { ...owner, connector_uid: 'alice' } }])
    expect(records?.takesFiles).toBe(true)
    expect(assistants.recordsOf('other' as AssistantId)).toBeUndefined()
  })

  it('do not start when a message could name the session', () => {
    const leaky = { ...workflow, messageParameters: ['SESSION_NAME'] }
    expect(() => open({ ...common, strategy: 'workflow', workflow: leaky })).toThrow(
      'sessions are not kept apart: "messageParameters.0"',
    )
  })
})
