/** What an erased session leaves behind on the platform: sentences for the caller that name nobody. */
export function remainsOfErasure(found: {
  /** Upstream conversations that could not be deleted. */
  readonly left: number
  /** There were upstream conversations, be it that they had been deleted before. */
  readonly hasSpoken: boolean
  readonly areVariablesCleared: boolean
  readonly files: number
  /** The upstream knows the session under another name from now on. */
  readonly isRenamed: boolean
}): readonly string[] {
  const { left, hasSpoken, areVariablesCleared, files, isRenamed } = found
  const sentences = [...remainsOfDeletion(left)]
  if (!areVariablesCleared) {
    sentences.push('Variables of the session could not be emptied on the platform.')
  }
  if (files > 0) {
    sentences.push(
      `${counted(files, 'uploaded file')}: the platform has no call to delete them, and keeps them for 3 months.`,
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

/** `left`: upstream conversations that could not be deleted. */
export function remainsOfDeletion(left: number): readonly string[] {
  return left === 0
    ? []
    : [`${counted(left, 'conversation')} could not be deleted on the platform.`]
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`
}
