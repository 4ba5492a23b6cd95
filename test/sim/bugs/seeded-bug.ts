import type { CozeClient } from '../../../src/coze/client.ts'
import type { SessionReplies } from '../../../src/session/replies.ts'
import type { Verdicts } from '../../../src/isolation/verdicts.ts'
import type { IsolationRecords } from '../../../src/store/store.ts'
import type { Ledger } from '../../../src/store/ledger.ts'
import type { ReplyLog } from '../../../src/store/log.ts'
import type { Outbox } from '../../../src/store/outbox.ts'
import type { DiskFlaw } from '../store/flaw.ts'
import type { ChatStrategy } from '../../../src/strategy/strategy.ts'

/** A bug seeded by replacing a dependency: each function gets the true one. Nothing: no bug. */
export interface SeededBug {
  readonly flaw?: DiskFlaw
  ledger?(ledger: Ledger, log: ReplyLog): Ledger
  log?(log: ReplyLog, ledger: Ledger): ReplyLog
  outbox?(outbox: Outbox): Outbox
  client?(client: CozeClient): CozeClient
  strategy?(strategy: ChatStrategy): ChatStrategy
  isolation?(records: IsolationRecords): IsolationRecords
  verdicts?(verdicts: Verdicts): Verdicts
  replies?(replies: SessionReplies): SessionReplies
}

export const noBug: SeededBug = {}
