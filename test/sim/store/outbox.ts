import type { Session } from '../../../src/domain.ts'
import type { Outbox, OwedCall, OwedWork } from '../../../src/store/outbox.ts'
import type { Commits } from './commits.ts'
import type { State } from './state.ts'
import type { Tokens } from './tokens.ts'

/** Owes a call to the platform from now on. */
export function owe(
  state: State,
  session: Session,
  call: OwedCall,
  at: number,
  tokens: Tokens,
): OwedWork {
  const work: OwedWork = { id: tokens.owedWork(), session, attempts: 0, owedSince: at, ...call }
  state.everOwed.push(work)
  if (state.flaw !== 'forgets-owed-work') state.outbox.set(work.id, { work, dueAt: at })
  return work
}

export function createMemoryOutbox(commits: Commits): Outbox {
  return {
    take: ({ now, leaseMs, limit }) =>
      commits.write('outbox', ({ outbox }) => {
        const due = [...outbox.values()].filter(({ dueAt }) => dueAt <= now).slice(0, limit)
        for (const row of due) row.dueAt = now + leaseMs
        return due.map(({ work }) => work)
      }),
    settle: (ids) =>
      commits.write('outbox', ({ outbox }) => {
        for (const id of ids) outbox.delete(id)
      }),
    postpone: (id, dueAt) =>
      commits.write('outbox', ({ outbox }) => {
        const row = outbox.get(id)
        if (row === undefined) return
        row.work = { ...row.work, attempts: row.work.attempts + 1 }
        row.dueAt = dueAt
      }),
    nextDue: () =>
      commits.read(({ outbox }) => {
        const due = [...outbox.values()].map(({ dueAt }) => dueAt)
        return due.length === 0 ? undefined : Math.min(...due)
      }),
  }
}
