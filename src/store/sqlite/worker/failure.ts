import { StoreError } from '../../store.ts'

export type ResultCode = 'busy' | 'corrupt' | 'full' | 'io' | 'other'

/** Primary result codes, https://www.sqlite.org/rescode.html. */
const codes: Readonly<Record<number, ResultCode>> = {
  5: 'busy',
  7: 'io', // NOMEM
  8: 'io', // READONLY
  10: 'io', // IOERR
  11: 'corrupt',
  13: 'full',
  14: 'io', // CANTOPEN
  26: 'corrupt', // NOTADB
}

/** What kind of failure SQLite reports; `other` as well for what is not from SQLite. */
export function resultCode(error: unknown): ResultCode {
  if (!isOfSqlite(error)) return 'other'
  const { errcode } = error
  return typeof errcode === 'number' ? (codes[errcode & 0xff] ?? 'other') : 'other'
}

/** Whether SQLite reported it, with whichever code. */
function isOfSqlite(error: unknown): error is Error & { readonly errcode: unknown } {
  return error instanceof Error && 'errcode' in error
}

export function toStoreError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause
  const isFull = resultCode(cause) === 'full' || isNoSpace(cause)
  return isFull
    ? new StoreError('full', 'the disk of the store is full', { cause })
    : new StoreError('unavailable', 'the store cannot be written', { cause })
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}
