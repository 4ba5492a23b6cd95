import type { AssistantId } from '../domain.ts'
import type { Evidence, IsolationRecord, IsolationTarget, Proof } from '../domain/isolation.ts'

/** What was found out of how assistants keep sessions apart. */
export interface IsolationRecords {
  list(): Promise<readonly IsolationRecord[]>
  /** The last proof replaces the one before. */
  recordProof(target: IsolationTarget, proof: Proof): Promise<void>
  /** The first breach stays until it is cleared. */
  recordBreach(target: IsolationTarget, evidence: Evidence): Promise<void>
  clearBreaches(assistantId: AssistantId): Promise<void>
}
