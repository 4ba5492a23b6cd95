/** Calls `run` when the signal aborts, or at once if it has. Disposing takes the listener away. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', run) }
}

/** Settles as the promise does, or rejects with the signal's reason when it aborts first. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  using _ = onAbort(signal, () => aborted.reject(signal.reason))
  return await Promise.race([promise, aborted.promise])
}
