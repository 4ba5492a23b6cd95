import { toIsolationRecord } from '../engine/records.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { AsyncCalls } from './calls.ts'
import type { Database } from './database.ts'
import { sql } from './sql.ts'

export type IsolationCalls = Pick<
  EngineCalls,
  'isolationRecords' | 'recordProof' | 'recordBreach' | 'clearBreaches'
>

export function createIsolation(db: Database): AsyncCalls<IsolationCalls> {
  return {
    async isolationRecords() {
      const found = await db.query(sql`SELECT assistant, strategy, proof, breach FROM isolation`)
      return found.map(toIsolationRecord)
    },
    async recordProof({ target: { assistantId, strategy }, proof }) {
      await db.query(sql`
        INSERT INTO isolation (assistant, strategy, proof)
        VALUES (${assistantId}, ${strategy}, ${JSON.stringify(proof)})
        ON CONFLICT (assistant, strategy) DO UPDATE SET proof = excluded.proof`)
    },
    async recordBreach({ target: { assistantId, strategy }, evidence }) {
      await db.query(sql`
        INSERT INTO isolation AS i (assistant, strategy, breach)
        VALUES (${assistantId}, ${strategy}, ${JSON.stringify(evidence)})
        ON CONFLICT (assistant, strategy) DO UPDATE SET breach = coalesce(i.breach, excluded.breach)`)
    },
    async clearBreaches({ assistantId }) {
      await db.query(sql`UPDATE isolation SET breach = NULL WHERE assistant = ${assistantId}`)
    },
  }
}
