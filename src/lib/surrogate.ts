/** Whether a UTF-16 code unit is the first half of a character of two: a text is not cut behind it. */
export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** Where a slice of at most `length` code units from `from` ends that cuts no character in two. */
export function sliceEnd(text: string, from: number, length: number): number {
  const to = Math.min(from + length, text.length)
  return to < text.length && isHighSurrogate(text.charCodeAt(to - 1)) ? to - 1 : to
}

/** How many code units of `added` stand in `text` at `from`, so that what differs behind them cuts no character in two. */
export function commonLength(text: string, from: number, added: string): number {
  if (text.startsWith(added, from)) return added.length
  const limit = Math.min(text.length - from, added.length)
  let length = 0
  while (length < limit && text.charCodeAt(from + length) === added.charCodeAt(length)) length++
  return length > 0 && isHighSurrogate(added.charCodeAt(length - 1)) ? length - 1 : length
}
