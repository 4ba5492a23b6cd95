import { describe, expect, it } from 'vitest'
import type { AssistantSettings } from '../../../src/config/sections/assistant.ts'
import { botSchema, workflowSchema } from '../../../src/config/sections/target.ts'
import type { AssistantId } from '../../../src/domain.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { isolationTargets } from '../../../src/strategy/targets.ts'

const common = {
  id: 'a' as AssistantId,
  name: 'A',
  baseUrl: 'https://api.coze.com',
  credentials: {
    type: 'oauth',
    appId: 'app-1',
    keyId: 'k',
    privateKey: new Secret(''),
    audience: 'api.coze.com',
    accessTokenSeconds: 3600,
  },
  platform: 'cloud',
  quota: { maxRunning: 1, startsPerSecond: 1 },
  onBreach: 'quarantine',
  imageHosts: [],
  requireProof: false,
  probe: { answers: [] },
} as const

const digests = (settings: AssistantSettings) =>
  isolationTargets([settings]).map(({ settingsDigest }) => settingsDigest)

describe('a proof that sessions are kept apart', () => {
  // As they were stored before the configuration filled in what receives the session's name.
  it('holds after an upgrade, for the same configuration', () => {
    const workflow = workflowSchema.parse({
      workflowId: 'flow-1',
      appId: 'app-1',
      parameters: { LANGUAGE: 'en' },
      workflowVersion: 'v1',
    })
    const fallback = botSchema.parse({ botId: 'bot-1', connectorId: '1024' })
    expect(digests({ ...common, strategy: 'auto', workflow, fallback })).toEqual([
      'YQmutGQls1QBHIqjp3uJCTI01LxA5ST2yf3TV-2oDLM',
      '0ldlD0OBOfh6owd66AofgDRUAaeNPs7AKfetZwnY6xY',
    ])
    const named = { workflowId: 'flow-1', appId: 'app-1', sessionParameter: 'WHO' }
    expect(
      digests({ ...common, strategy: 'workflow', workflow: workflowSchema.parse(named) }),
    ).toEqual(['aWFnV5tt88fmwo27K_C78BQzuw3sNi6TIVakex_fpB0'])
  })

  it('is none of a configuration that hands the name of the session to another parameter', () => {
    const given = { workflowId: 'flow-1', appId: 'app-1' }
    const [before, after] = [{}, { sessionParameter: 'WHO' }].map((more) => {
      const workflow = workflowSchema.parse({ ...given, ...more })
      return digests({ ...common, strategy: 'workflow', workflow })
    })
    expect(before).not.toEqual(after)
  })
})
