/** Whether a UTF-16 code unit is the first half of a character of two: a text is not cut behind it. */
export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
