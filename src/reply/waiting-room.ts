import type { ReplyId, ToolOutput } from '../domain.ts'
import { onAbort } from '../lib/on-abort.ts'

/** Where runs wait for the outputs of their tool calls, and those who bring them find them. */
export interface WaitingRoom {
  /** What is brought from now on is for this run. Dispose it when it waits no more. */
  enter(replyId: ReplyId): Wait
  /**
   * Brings outputs to a run that waits: `take` makes them the ledger's, and only what it took is handed over. The run does
   * not give up meanwhile. Undefined: none waits here under this id.
   */
  bring<T extends { readonly type: string }>(
    replyId: ReplyId,
    outputs: readonly ToolOutput[],
    take: () => Promise<T>,
  ): Promise<T> | undefined
}

export interface Wait extends Disposable {
  /** Rejects with the signal's reason, unless outputs were taken before it aborted. */
  outputs(signal: AbortSignal): Promise<readonly ToolOutput[]>
}

interface Parked {
  taken: readonly ToolOutput[] | undefined
  /** Takes that are on their way. */
  taking: number
  wake(): void
}

export function createWaitingRoom(): WaitingRoom {
  const parkedRuns = new Map<ReplyId, Parked>()

  async function bringTo<T extends { readonly type: string }>(
    parked: Parked,
    outputs: readonly ToolOutput[],
    take: () => Promise<T>,
  ): Promise<T> {
    parked.taking += 1
    try {
      const outcome = await take()
      if (outcome.type === 'taken') parked.taken = outputs
      return outcome
    } finally {
      parked.taking -= 1
      parked.wake()
    }
  }

  return {
    enter(replyId) {
      const parked: Parked = { taken: undefined, taking: 0, wake: () => undefined }
      parkedRuns.set(replyId, parked)
      return {
        async outputs(signal) {
          using _ = onAbort(signal, () => parked.wake())
          for (;;) {
            if (parked.taken !== undefined) return parked.taken
            if (parked.taking === 0) signal.throwIfAborted()
            await new Promise<void>((resolve) => (parked.wake = resolve))
          }
        },
        [Symbol.dispose]: () => void parkedRuns.delete(replyId),
      }
    },
    bring(replyId, outputs, take) {
      const parked = parkedRuns.get(replyId)
      return parked && bringTo(parked, outputs, take)
    },
  }
}
