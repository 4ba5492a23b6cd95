import type { Emptying } from '../strategy/records.ts'
import type { Removals } from './upstream-cleanup.ts'

/** What an erased session leaves behind on the platform: sentences for the caller that name nobody. */
export function remainsOfErasure(found: {
  readonly removals: Removals
  /** There were upstream conversations, be it that they had been deleted before. */
  readonly hasSpoken: boolean
  readonly variables: Emptying
  readonly files: number
  /** The upstream knows the session under another name from now on. */
  readonly isRenamed: boolean
}): readonly string[] {
  const { removals, hasSpoken, variables, files, isRenamed } = found
  const sentences = [...remainsOfDeletion(removals)]
  switch (variables) {
    case 'emptied':
      break
    case 'kept':
      sentences.push('Variables of the session could not be emptied on the platform.')
      break
    case 'no-call':
      sentences.push('Variables of the session: the platform has no call to empty them.')
      break
  }
  if (files > 0) {
    sentences.push(
      `${counted(files, 'uploaded file')}: the platform has no call to delete them, and keeps them (Coze's cloud for 3 months).`,
    )
  }
  if (hasSpoken) {
    sentences.push(
      isRenamed
        ? "What the assistant's long-term memory and memory nodes keep: it can be reached only under the session's old name, which is not used any more."
        : "What the assistant's long-term memory and memory nodes keep: it can still be reached, since the credentials of the session name it.",
      "The platform's own logs of the session's runs.",
    )
  }
  return sentences
}

/** What is left of conversations that were to be deleted. */
export function remainsOfDeletion({ hidden, kept }: Removals): readonly string[] {
  const sentences: string[] = []
  if (hidden > 0) {
    sentences.push(
      `${counted(hidden, 'conversation')}: the platform only hides what is deleted, and keeps its messages.`,
    )
  }
  if (kept > 0) {
    sentences.push(`${counted(kept, 'conversation')} could not be deleted on the platform.`)
  }
  return sentences
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`
}
