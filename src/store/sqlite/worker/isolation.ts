import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, StrategyKind } from '../../../domain.ts'
import type { IsolationRecord, IsolationTarget } from '../../../domain/isolation.ts'
import type { WorkerCalls } from '../calls.ts'
import { jsonOrNull, string, type Row } from './columns.ts'

type IsolationCalls = Pick<
  WorkerCalls,
  'isolationRecords' | 'recordProof' | 'recordBreach' | 'clearBreaches'
>

export function createIsolation(db: DatabaseSync): IsolationCalls {
  const list = db.prepare('SELECT assistant, strategy, proof, breach FROM isolation')
  const setProof = db.prepare(`
    INSERT INTO isolation (assistant, strategy, proof) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET proof = excluded.proof`)
  const setBreach = db.prepare(`
    INSERT INTO isolation (assistant, strategy, breach) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET breach = coalesce(breach, excluded.breach)`)
  const clearBreaches = db.prepare('UPDATE isolation SET breach = NULL WHERE assistant = ?')
  const key = ({ assistantId, strategy }: IsolationTarget) => [assistantId, strategy] as const

  return {
    isolationRecords: () => list.all().map(toRecord),
    recordProof: ({ target, proof }) => void setProof.run(...key(target), JSON.stringify(proof)),
    recordBreach: ({ target, evidence }) =>
      void setBreach.run(...key(target), JSON.stringify(evidence)),
    clearBreaches: ({ assistantId }) => void clearBreaches.run(assistantId),
  }
}

function toRecord(row: Row): IsolationRecord {
  return {
    target: {
      assistantId: string(row['assistant']) as AssistantId,
      strategy: string(row['strategy']) as StrategyKind,
    },
    proof: jsonOrNull(row['proof']),
    breach: jsonOrNull(row['breach']),
  }
}
