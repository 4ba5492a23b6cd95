import { describe, expect, it } from 'vitest'
import type { AssistantId, SessionId } from '../../../src/domain.ts'
import type {
  IsolationRecord,
  IsolationTarget,
  Proof,
  ProofVerdict,
} from '../../../src/domain/isolation.ts'
import type { Breach } from '../../../src/isolation/breaches.ts'
import { openVerdicts } from '../../../src/isolation/verdicts.ts'
import { createPrometheusMetrics } from '../../../src/observe/prometheus.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const hourMs = 3_600_000
const workflow: IsolationTarget = { assistantId: 'a' as AssistantId, strategy: 'workflow' }
const bot: IsolationTarget = { ...workflow, strategy: 'bot' }
/** Another assistant on the same Workflow of the platform. */
const twin: IsolationTarget = { ...workflow, assistantId: 'b' as AssistantId }
const breach: Breach = {
  target: workflow,
  isNew: true,
  at: 7,
  way: 'of-another-session',
  logIds: ['log-1'],
  sessions: ['alice' as SessionId, 'bob' as SessionId],
}

function proofOf(verdict: ProofVerdict, checkedAt: number): Omit<Proof, 'settingsDigest'> {
  return { verdict, findings: [], checkedAt }
}

async function open({
  stored = [] as readonly IsolationRecord[],
  fails = false,
  digest = 'd',
  targets = [workflow, bot],
  refreshMs = undefined as number | undefined,
} = {}) {
  const clock = createFakeClock(0)
  const metrics = createPrometheusMetrics()
  const written: (readonly unknown[])[] = []
  const lines: { readonly message: string; readonly fields: object }[] = []
  const line = (fields: object, message: string) => void lines.push({ fields, message })
  const store = { fails, stored }
  const write = async (...what: unknown[]) => {
    if (store.fails) throw new Error('no store')
    written.push(what)
  }
  const verdicts = await openVerdicts({
    targets: targets.map((target) => ({
      ...target,
      settingsDigest: digest,
      upstream: target.strategy,
    })),
    records: {
      list: async () => store.stored,
      recordProof: (target, proof) => write('proof', target.strategy, proof),
      recordBreach: (target, evidence) => write('breach', target.strategy, evidence),
      clearBreaches: (id) => write('clear', id),
    },
    proofMaxAgeMs: 24 * hourMs,
    refreshMs,
    fingerprintOf: (id) => `fingerprint of ${id}`,
    clock,
    logger: { debug: line, info: line, warn: line, error: line },
    metrics,
  })
  const shown = async () =>
    (await metrics.text()).split('\n').filter((text) => /^coze_gateway_isolation.* [^0]/.test(text))
  return { verdicts, clock, store, written, lines, shown }
}

describe('verdicts', () => {
  it('begin unproven, become what a probe found, and are shown', async () => {
    const { verdicts, written, shown } = await open()
    expect(verdicts.verdictOf(workflow)).toBe('UNPROVEN')
    await verdicts.prove(workflow, proofOf('ISOLATED', 0))
    expect(verdicts.verdictOf(workflow)).toBe('ISOLATED')
    expect(verdicts.verdictOf(bot)).toBe('UNPROVEN')
    const proof = { ...proofOf('ISOLATED', 0), settingsDigest: 'd' }
    expect(written).toEqual([['proof', 'workflow', proof]])
    expect(verdicts.recordsOf(workflow.assistantId)).toEqual([
      { target: workflow, proof, breach: null },
      { target: bot, proof: null, breach: null },
    ])
    expect(await shown()).toEqual([
      'coze_gateway_isolation_verdict{assistant="a",strategy="bot",verdict="UNPROVEN"} 1',
      'coze_gateway_isolation_verdict{assistant="a",strategy="workflow",verdict="ISOLATED"} 1',
    ])
  })

  it.each(['ISOLATED', 'INCONCLUSIVE'] as const)(
    'of %s grow stale, and say so by themselves',
    async (verdict) => {
      const { verdicts, clock, shown } = await open()
      await verdicts.prove(workflow, proofOf(verdict, 0))
      clock.advance(24 * hourMs - 1)
      expect(verdicts.verdictOf(workflow)).toBe(verdict)
      clock.advance(1)
      expect(verdicts.verdictOf(workflow)).toBe('STALE')
      expect(await shown()).toContain(
        'coze_gateway_isolation_verdict{assistant="a",strategy="workflow",verdict="STALE"} 1',
      )
    },
  )

  it('are what another instance has found out, and what an operator has told it', async () => {
    const { verdicts, clock, store } = await open({ refreshMs: 1_000 })
    const proof = { ...proofOf('ISOLATED', 5), settingsDigest: 'd' }
    const found: IsolationRecord = { target: workflow, proof, breach: null }
    store.stored = [found]
    await clock.pass(1_000)
    expect(verdicts.verdictOf(workflow)).toBe('ISOLATED')
    const evidence = { at: 9, what: 'Two have met.', logIds: [], sessions: [] }
    store.stored = [{ ...found, breach: evidence }]
    await clock.pass(1_000)
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    expect(verdicts.verdictOf(bot)).toBe('UNPROVEN')
    store.stored = [found]
    await clock.pass(1_000)
    expect(verdicts.verdictOf(workflow)).toBe('ISOLATED')
  })

  it('keep a breach that is not stored yet, whatever the store has', async () => {
    const { verdicts, clock, store } = await open({ fails: true, refreshMs: 1_000 })
    verdicts.breached(breach)
    await clock.pass(3_000)
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    store.fails = false
  })

  it('of LEAKING do not mend by waiting', async () => {
    const { verdicts, clock } = await open()
    await verdicts.prove(workflow, proofOf('LEAKING', 0))
    clock.advance(100 * hourMs)
    expect(verdicts.verdictOf(workflow)).toBe('LEAKING')
  })

  it('hold for the settings that were proven', async () => {
    const proof = { ...proofOf('LEAKING', 0), settingsDigest: 'd' }
    const stored = [{ target: workflow, proof, breach: null }]
    expect((await open({ stored })).verdicts.verdictOf(workflow)).toBe('LEAKING')
    expect((await open({ stored, digest: 'other' })).verdicts.verdictOf(workflow)).toBe('STALE')
  })

  it('are BREACHED from the moment that two have met, until an operator clears it', async () => {
    const { verdicts, written, lines, shown } = await open()
    await verdicts.prove(workflow, proofOf('ISOLATED', 0))
    verdicts.breached(breach)
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    expect(verdicts.verdictOf(bot)).toBe('UNPROVEN')
    verdicts.breached({ ...breach, at: 8, isNew: false })
    await verdicts.prove(workflow, proofOf('ISOLATED', 9))
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    const evidence = {
      at: 7,
      what: 'Two sessions were given one upstream conversation.',
      logIds: ['log-1'],
      sessions: ['fingerprint of alice', 'fingerprint of bob'],
    }
    expect(written.filter((write) => Array.isArray(write) && write[0] === 'breach')).toEqual([
      ['breach', 'workflow', evidence],
    ])
    expect(lines[0]).toMatchObject({
      fields: { assistant: 'a', strategy: 'workflow', ...evidence },
    })
    expect(await shown()).toContain(
      'coze_gateway_isolation_breaches_total{assistant="a",strategy="workflow"} 2',
    )
    expect(await verdicts.clear(workflow.assistantId, 'olga')).toBe(true)
    expect(verdicts.verdictOf(workflow)).toBe('ISOLATED')
    expect(await verdicts.clear(workflow.assistantId, 'olga')).toBe(false)
  })

  it('are cleared with a line that names the operator', async () => {
    const { verdicts, lines } = await open()
    verdicts.breached(breach)
    await verdicts.clear(workflow.assistantId, 'olga')
    expect(lines.at(-1)).toMatchObject({
      message: 'quarantine cleared',
      fields: { audit: 'quarantine cleared', assistant: 'a', session: 'olga' },
    })
  })

  it('are BREACHED of all assistants on one target of the platform, each until it is cleared', async () => {
    const { verdicts, written } = await open({ targets: [workflow, bot, twin] })
    verdicts.breached(breach)
    expect([workflow, twin, bot].map((target) => verdicts.verdictOf(target))).toEqual([
      'BREACHED',
      'BREACHED',
      'UNPROVEN',
    ])
    await verdicts.clear(workflow.assistantId, 'olga')
    expect(verdicts.verdictOf(workflow)).toBe('UNPROVEN')
    expect(verdicts.verdictOf(twin)).toBe('BREACHED')
    expect(written.map(([what]) => what)).toEqual(['breach', 'breach', 'clear'])
  })

  it('are BREACHED whether the store takes it or not', async () => {
    const { verdicts, lines } = await open({ fails: true })
    verdicts.breached(breach)
    await verdicts[Symbol.asyncDispose]()
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    expect(lines.map(({ message }) => message)).toContain('a breach was not stored')
  })

  it('F33: are BREACHED after a restart as well, once writes work again', async () => {
    const { verdicts, clock, store, written } = await open({ fails: true })
    verdicts.breached(breach)
    await clock.pass(5_000)
    store.fails = false
    await clock.pass(1_000)
    expect(written).toMatchObject([['breach', 'workflow', { at: 7 }]])
    await clock.pass(5_000)
    expect(written).toHaveLength(1)
  })

  it('are not BREACHED by a write that comes after an operator has cleared it', async () => {
    const { verdicts, clock, store, written } = await open({ fails: true })
    verdicts.breached(breach)
    await clock.pass(1_000)
    store.fails = false
    await verdicts.clear(workflow.assistantId, 'olga')
    await clock.pass(5_000)
    expect(written).toEqual([['clear', workflow.assistantId]])
  })

  it('are BREACHED by what comes while an operator clears what came before', async () => {
    const { verdicts, written } = await open()
    verdicts.breached(breach)
    const clearing = verdicts.clear(workflow.assistantId, 'olga')
    verdicts.breached({ ...breach, at: 8 })
    expect(await clearing).toBe(true)
    expect(verdicts.verdictOf(workflow)).toBe('BREACHED')
    await verdicts[Symbol.asyncDispose]()
    expect(written).toMatchObject([
      ['breach', 'workflow', { at: 7 }],
      ['clear', 'a'],
      ['breach', 'workflow', { at: 8 }],
    ])
  })

  it('are what was stored before, of targets that are configured still', async () => {
    const evidence = { at: 1, what: 'Two met.', logIds: [], sessions: [] }
    const gone = { assistantId: 'gone' as AssistantId, strategy: 'bot' } as const
    const { verdicts } = await open({
      stored: [
        { target: bot, proof: null, breach: evidence },
        { target: gone, proof: null, breach: evidence },
      ],
    })
    expect(verdicts.verdictOf(bot)).toBe('BREACHED')
    expect(verdicts.verdictOf(gone)).toBe('UNPROVEN')
    expect(verdicts.recordsOf(gone.assistantId)).toEqual([])
  })

  it('leave no timer behind', async () => {
    const { verdicts, clock } = await open()
    await verdicts.prove(workflow, proofOf('ISOLATED', 0))
    await verdicts.prove(workflow, proofOf('ISOLATED', 1))
    expect(clock.pending).toBe(1)
    await verdicts[Symbol.asyncDispose]()
    expect(clock.pending).toBe(0)
  })
})
