/** The JavaScript runtime lacks something that the gateway cannot do without. The message says what to run it with. */
export class UnsupportedRuntimeError extends Error {
  override readonly name = 'UnsupportedRuntimeError'
}
