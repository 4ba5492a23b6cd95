/** Whether a UTF-16 code unit is the first half of a character of two: a text is not cut behind it. */
export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** Where a slice of at most `length` code units from `from` ends that cuts no character in two. */
export function sliceEnd(text: string, from: number, length: number): number {
  const to = Math.min(from + length, text.length)
  return to < text.length && isHighSurrogate(text.charCodeAt(to - 1)) ? to - 1 : to
}
