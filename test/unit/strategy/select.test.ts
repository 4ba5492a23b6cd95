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
    ['workflow', workflow],
    ['bot', bot],
    ['auto', workflow],
  ] as const)('begins conversations as configured: %s', (strategy, expected) => {
    expect(createStrategySelector({ strategy, workflow, bot })(undefined)).toBe(expected)
  })

  it('keeps a conversation with the strategy that began it', () => {
    const select = createStrategySelector({ strategy: 'auto', workflow, bot })
    expect(select('bot')).toBe(bot)
    expect(select('workflow')).toBe(workflow)
  })

  it('goes on with the configured strategy when the one that began it is gone', () => {
    expect(createStrategySelector({ strategy: 'workflow', workflow })('bot')).toBe(workflow)
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
