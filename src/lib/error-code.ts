/** The code that the system gave an error, for the end of a sentence: ` (ENOENT)`, or nothing. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
}
