import type { NewId } from '../../../src/lib/id.ts'
import type { OwedWorkId } from '../../../src/store/outbox.ts'
import type { RevisedText } from './texts.ts'
import type { DiskFlaw } from './flaw.ts'

/** What is random in a store. */
export interface Tokens {
  fence(): string
  /** Tells an event from any other that is ever put at its number. */
  check(): string
  owedWork(): OwedWorkId
}

export function createTokens(newId: NewId, flaw: DiskFlaw | undefined): Tokens {
  let fences = 0
  return {
    fence() {
      if (flaw !== 'counts-fences') return newId()
      fences += 1
      return `fence ${String(fences).padStart(4, '0')}`
    },
    check: () => `c${newId().slice(-4)}`,
    owedWork: () => newId() as OwedWorkId,
  }
}

/** A few characters of the lease that begins it, and how many that lease began before. */
export function revisionName(
  { revisions }: RevisedText,
  fence: string,
  flaw: DiskFlaw | undefined,
): string {
  if (flaw === 'counts-revisions') return `r${revisions.length}`
  const prefix = fence.slice(-4)
  const before = revisions.filter(({ name }) => name.startsWith(prefix)).length
  return prefix + before.toString(36)
}
