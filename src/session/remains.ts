import type { TriedWork } from './owed-works.ts'

/** What became of what the platform keeps, for the caller. */
export interface UpstreamCleanup {
  /** Upstream conversations that are gone. */
  readonly deleted: number
  /** What remains, each a sentence that names nobody; empty: nothing that we know of. */
  readonly remains: readonly string[]
}

/** What is left of conversations that were to be deleted. */
export function remainsOfDeletion(tried: readonly TriedWork[]): UpstreamCleanup {
  const of = (outcome: TriedWork['outcome']) =>
    tried.filter((one) => one.work.type === 'delete-conversation' && one.outcome === outcome).length
  const hidden = of('hidden')
  const owed = of('owed')
  const givenUp = of('given-up')
  const remains: string[] = []
  if (hidden > 0) {
    remains.push(
      `${counted(hidden, 'conversation')}: the platform only hides what is deleted, and keeps its messages.`,
    )
  }
  if (owed > 0) {
    remains.push(
      `${counted(owed, 'conversation')} could not be deleted on the platform yet: it will be tried again.`,
    )
  }
  if (givenUp > 0) {
    remains.push(`${counted(givenUp, 'conversation')} could not be deleted on the platform.`)
  }
  return { deleted: of('done'), remains }
}

/** What an erased session leaves behind on the platform. */
export function remainsOfErasure(found: {
  readonly tried: readonly TriedWork[]
  /** The session was ever known upstream. */
  readonly hasSpoken: boolean
  readonly files: number
  /** The upstream knows the session under another name from now on. */
  readonly isRenamed: boolean
}): UpstreamCleanup {
  const { tried, hasSpoken, files, isRenamed } = found
  const { deleted, remains } = remainsOfDeletion(tried)
  const variables = new Set(
    tried.flatMap(({ work, outcome }) => (work.type === 'clear-variables' ? outcome : [])),
  )
  const sentences = [...remains]
  if (variables.has('owed')) {
    sentences.push(
      'Variables of the session could not be emptied on the platform yet: it will be tried again.',
    )
  } else if (variables.has('given-up')) {
    sentences.push('Variables of the session could not be emptied on the platform.')
  } else if (variables.has('no-call')) {
    sentences.push('Variables of the session: the platform has no call to empty them.')
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
  return { deleted, remains: sentences }
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`
}
