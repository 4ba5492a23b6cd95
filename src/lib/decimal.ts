/** An id as the platforms make them: a decimal number, which may exceed what a JavaScript number holds exactly. */
export function isDecimal(id: string): boolean {
  return /^\d{1,20}$/.test(id)
}

/** Compares two {@link isDecimal} ids: negative where the first one is the smaller, which is the older one. */
export function compareDecimals(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
