import type { LogItem, ReadResult, ReplyLog } from '../../../src/store/log.ts'

/** The same reading, of which something else is told. */
export function reading(
  log: ReplyLog,
  change: (items: readonly LogItem[]) => readonly LogItem[],
): ReplyLog['read'] {
  const changed = (result: ReadResult) => (result === 'expired' ? result : change(result))
  return (...given) => {
    const result = log.read(...given)
    return result instanceof Promise ? result.then(changed) : changed(result)
  }
}
