import { describe, expect, it } from 'vitest'
import type { AssistantId } from '../../src/domain.ts'
import type { Evidence, IsolationTarget, Proof } from '../../src/domain/isolation.ts'
import type { Store } from '../../src/store/store.ts'

const workflow: IsolationTarget = { assistantId: 'a' as AssistantId, strategy: 'workflow' }
const bot: IsolationTarget = { ...workflow, strategy: 'bot' }
const other: IsolationTarget = { ...workflow, assistantId: 'b' as AssistantId }
const breach = (at: number): Evidence => ({ at, what: 'Two met.', logIds: ['l'], sessions: ['s'] })
const proof = (checkedAt: number): Proof => ({
  verdict: 'LEAKING',
  findings: [
    {
      layer: 'conversation',
      verdict: 'LEAKING',
      reason: 'It leaks.',
      cause: 'Likely: something.',
      remedy: null,
      evidence: [breach(1)],
    },
  ],
  checkedAt,
  settingsDigest: 'digest',
})

export function isolationRecordsContract(name: string, open: () => Promise<Store>): void {
  describe(`isolation records: ${name}`, () => {
    it('keep the last proof and the first breach of each target', async () => {
      await using store = await open()
      const { isolation } = store
      expect(await isolation.list()).toEqual([])
      await isolation.recordProof(workflow, proof(1))
      await isolation.recordProof(workflow, proof(2))
      await isolation.recordBreach(bot, breach(3))
      await isolation.recordBreach(bot, breach(4))
      await isolation.recordBreach(workflow, breach(5))
      const records = await isolation.list()
      expect(records).toHaveLength(2)
      expect(records).toContainEqual({ target: workflow, proof: proof(2), breach: breach(5) })
      expect(records).toContainEqual({ target: bot, proof: null, breach: breach(3) })
    })

    it('forget the breaches of one assistant, and no proof', async () => {
      await using store = await open()
      const { isolation } = store
      await isolation.recordProof(workflow, proof(1))
      for (const target of [workflow, bot, other]) await isolation.recordBreach(target, breach(2))
      await isolation.clearBreaches(workflow.assistantId)
      const records = await isolation.list()
      expect(records).toContainEqual({ target: workflow, proof: proof(1), breach: null })
      expect(records).toContainEqual({ target: other, proof: null, breach: breach(2) })
    })
  })
}
