import { describe, expect, it } from 'vitest'
import type { StrategyKind } from '../../../src/domain.ts'
import type { OnBreach, TargetVerdict } from '../../../src/domain/isolation.ts'
import { createStrategySelector } from '../../../src/strategy/select.ts'
import { createBotStrategy } from '../../../src/strategy/bot.ts'
import { createWorkflowStrategy } from '../../../src/strategy/workflow.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { botSettings, strategyOptions, workflowSettings } from '../../kit/fakes/strategy-options.ts'
import { createScriptedCoze, nameTokens } from '../../kit/fakes/coze.ts'

const parts = {
  client: createScriptedCoze({}),
  tokens: nameTokens,
  clock: createFakeClock(),
  random: () => 0,
  scope: { origin: 'http://coze.test', account: '' },
  recoverMs: 30_000,
  ...strategyOptions(),
}
const workflow = createWorkflowStrategy({
  ...parts,
  workflow: workflowSettings({ appId: 'a' }),
})
const bot = createBotStrategy({ ...parts, bot: botSettings() })
const both = { workflow, bot }
const always = (verdict: TargetVerdict) => () => verdict
const unproven = {
  onBreach: 'quarantine',
  requireProof: false,
  verdictOf: always('UNPROVEN'),
} as const

describe('strategy selection', () => {
  it.each([
    ['workflow', workflow, 'configured'],
    ['bot', bot, 'configured'],
    ['auto', workflow, 'the workflow is in service'],
  ] as const)('begins conversations as configured: %s', (configured, strategy, reason) => {
    const select = createStrategySelector({ strategy: configured, ...both, ...unproven })
    expect(select.goOn(undefined)).toEqual({ strategy, reason })
    expect(select.serve(undefined)).toEqual({ strategy, reason })
  })

  it('keeps a conversation with the strategy that began it', () => {
    const select = createStrategySelector({ strategy: 'auto', ...both, ...unproven })
    const reason = 'the conversation was begun by it'
    expect(select.serve('bot')).toEqual({ strategy: bot, reason })
    expect(select.serve('workflow')).toEqual({ strategy: workflow, reason })
  })

  it('goes on with the configured strategy when the one that began it is gone', () => {
    const select = createStrategySelector({ strategy: 'workflow', workflow, ...unproven })
    expect(select.serve('bot')).toEqual({
      strategy: workflow,
      reason: 'the one that began the conversation is not configured',
    })
  })

  it('refuses a strategy without its part', () => {
    expect(() => createStrategySelector({ strategy: 'auto', bot, ...unproven })).toThrow(
      'a workflow must be given',
    )
    expect(() => createStrategySelector({ strategy: 'bot', workflow, ...unproven })).toThrow(
      'a bot must be given',
    )
  })

  const all = ['UNPROVEN', 'ISOLATED', 'LEAKING', 'INCONCLUSIVE', 'BREACHED', 'STALE'] as const

  function served(
    strategy: StrategyKind | 'auto',
    verdicts: Readonly<Record<StrategyKind, TargetVerdict>>,
    { onBreach = 'quarantine', requireProof = false, begunBy }: Rules = {},
  ): StrategyKind | undefined {
    const configured = strategy === 'auto' ? both : { [strategy]: both[strategy] }
    const verdictOf = (kind: StrategyKind) => verdicts[kind]
    const select = createStrategySelector({
      strategy,
      ...configured,
      onBreach,
      requireProof,
      verdictOf,
    })
    return select.serve(begunBy).strategy?.kind
  }
  interface Rules {
    readonly onBreach?: OnBreach
    readonly requireProof?: boolean
    readonly begunBy?: StrategyKind | undefined
  }

  it.each([
    ['quarantine', false, ['UNPROVEN', 'ISOLATED', 'INCONCLUSIVE', 'STALE']],
    ['alert', false, all],
    ['quarantine', true, ['ISOLATED']],
    ['alert', true, ['ISOLATED']],
  ] as const)(
    'serves under onBreach %s, requireProof %s: %s',
    (onBreach, requireProof, allowed) => {
      for (const strategy of ['workflow', 'bot'] as const) {
        const found = all.filter(
          (verdict) =>
            served(strategy, { workflow: verdict, bot: verdict }, { onBreach, requireProof }) ===
            strategy,
        )
        expect(found).toEqual(allowed)
      }
    },
  )

  it('serves the Bot where the Workflow leaks, and nobody where both do', () => {
    expect(served('auto', { workflow: 'LEAKING', bot: 'UNPROVEN' })).toBe('bot')
    expect(served('auto', { workflow: 'LEAKING', bot: 'LEAKING' })).toBeUndefined()
    const proven = { requireProof: true }
    expect(served('auto', { workflow: 'STALE', bot: 'ISOLATED' }, proven)).toBe('bot')
    expect(served('auto', { workflow: 'ISOLATED', bot: 'LEAKING' }, proven)).toBe('workflow')
  })

  it('takes a conversation to the other strategy when its own is out of service, and leaves it there', () => {
    const leaking = { workflow: 'LEAKING', bot: 'ISOLATED' } as const
    expect(served('auto', leaking, { begunBy: 'workflow' })).toBe('bot')
    const mended = { workflow: 'ISOLATED', bot: 'ISOLATED' } as const
    expect(served('auto', mended, { begunBy: 'bot' })).toBe('bot')
  })

  it('quarantines the whole assistant after a breach, unless it falls back', () => {
    const breached = { workflow: 'BREACHED', bot: 'ISOLATED' } as const
    expect(served('auto', breached)).toBeUndefined()
    expect(served('auto', breached, { onBreach: 'fallback' })).toBe('bot')
    expect(served('auto', breached, { onBreach: 'alert' })).toBe('workflow')
  })

  it('says why, to operators and to callers', () => {
    const verdictOf = (kind: StrategyKind): TargetVerdict =>
      kind === 'workflow' ? 'BREACHED' : 'UNPROVEN'
    const fallback = { strategy: 'auto', ...both, onBreach: 'fallback', verdictOf } as const
    expect(createStrategySelector({ ...fallback, requireProof: false }).serve(undefined)).toEqual({
      strategy: bot,
      reason: 'the workflow is out of service: BREACHED',
    })
    const proof = { strategy: 'bot', bot, ...unproven, requireProof: true } as const
    expect(createStrategySelector(proof).serve(undefined)).toEqual({
      strategy: undefined,
      reason: 'The assistant is not in service: it is not proven that it keeps sessions apart.',
    })
    const leaking = { ...proof, verdictOf: always('LEAKING') } as const
    expect(createStrategySelector(leaking).serve(undefined).reason).toBe(
      'The assistant is out of service: its sessions may not be kept apart.',
    )
  })
})
