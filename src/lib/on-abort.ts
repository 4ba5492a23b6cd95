/** Calls `run` when the signal aborts, or at once if it has. Disposing takes the listener away. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', run) }
}
