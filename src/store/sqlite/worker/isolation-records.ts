import type { DatabaseSync } from 'node:sqlite'
import type { AssistantId, StrategyKind } from '../../domain.ts'
import type { IsolationRecord, IsolationTarget } from '../../domain/isolation.ts'
import type { IsolationRecords } from '../isolation-records.ts'
import { jsonOrNull, string, type Row } from './columns.ts'
import type { CommitPipe } from './commit.ts'

export function createIsolationRecords(db: DatabaseSync, pipe: CommitPipe): IsolationRecords {
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
    async list() {
      const found = list.all().map(toRecord)
      await pipe.settled()
      return found
    },
    recordProof: (target, proof) =>
      pipe.durable(() => void setProof.run(...key(target), JSON.stringify(proof))),
    recordBreach: (target, evidence) =>
      pipe.durable(() => void setBreach.run(...key(target), JSON.stringify(evidence))),
    clearBreaches: (assistantId) => pipe.durable(() => void clearBreaches.run(assistantId)),
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
