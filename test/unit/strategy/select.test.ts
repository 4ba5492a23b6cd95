import { describe, expect, it } from 'vitest'
import { createStrategySelector } from '../../../src/strategy/select.ts'
import { createBotStrategy } from '../../../src/strategy/bot.ts'
import { createWorkflowStrategy } from '../../../src/strategy/workflow.ts'
import { createFakeClock } from '../../kit/clock.ts'
import { createScriptedCoze, nameTokens } from '../../kit/scripted-coze.ts'

const parts = {
  client: createScriptedCoze({}),
  tokens: nameTokens,
  clock: createFakeClock(),
  random: () => 0,
  scope: { origin: 'http://coze.test', account: '' },
}
const workflow = createWorkflowStrategy({
  ...parts,
  workflow: { workflowId: 'w', appId: 'a', conversationKeying: 'auto' },
})
const bot = createBotStrategy({ ...parts, bot: { botId: 'b' } })

describe('strategy selection', () => {
  it.each([
    ['workflow', workflow, 'configured'],
    ['bot', bot, 'configured'],
    ['auto', workflow, 'the workflow is in service'],
  ] as const)('begins conversations as configured: %s', (configured, strategy, reason) => {
    const select = createStrategySelector({ strategy: configured, workflow, bot })
    expect(select(undefined)).toEqual({ strategy, reason })
  })

  it('keeps a conversation with the strategy that began it', () => {
    const select = createStrategySelector({ strategy: 'auto', workflow, bot })
    const reason = 'the conversation was begun by it'
    expect(select('bot')).toEqual({ strategy: bot, reason })
    expect(select('workflow')).toEqual({ strategy: workflow, reason })
  })

  it('goes on with the configured strategy when the one that began it is gone', () => {
    const chosen = createStrategySelector({ strategy: 'workflow', workflow })('bot')
    expect(chosen.strategy).toBe(workflow)
    expect(chosen.reason).toBe('the one that began the conversation is not configured')
  })

  it('refuses a strategy without its part', () => {
    expect(() => createStrategySelector({ strategy: 'auto', bot })).toThrow(
      '"workflow" must be given',
    )
    expect(() => createStrategySelector({ strategy: 'bot', workflow })).toThrow(
      '"bot" must be given',
    )
  })
})
