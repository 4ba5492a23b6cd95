import { UnavailableError } from '../errors.ts'
import { StoreError } from '../store/store.ts'

/** A write that a caller waits for. @throws {@link UnavailableError} when the store does not take it: nothing was done. */
export async function stored<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new UnavailableError('The gateway could not store it. Nothing was done.', {
      cause: error,
    })
  }
}
