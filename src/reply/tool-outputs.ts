import { createHash } from 'node:crypto'
import type { ReplyId, ToolOutput } from '../domain.ts'
import { InvalidInputError } from '../errors.ts'
import { onAbort } from '../lib/on-abort.ts'

/** Joins runs that wait for the outputs of their tool calls with the requests that bring them. */
export interface PendingToolOutputs {
  /** Outputs that are delivered from now on are for this run. Dispose it when it waits no more. */
  await(replyId: ReplyId): PendingOutputs
  /**
   * Delivers outputs to a run that waits: `take` makes them the ledger's, and only what it took is handed over. The run does
   * not give up meanwhile. Undefined: no run waits here under this id.
   */
  deliver<T extends { readonly type: string }>(
    replyId: ReplyId,
    outputs: readonly ToolOutput[],
    take: () => Promise<T>,
  ): Promise<T> | undefined
}

export interface PendingOutputs extends Disposable {
  /** Rejects with the signal's reason, unless outputs were taken before it aborted. */
  taken(signal: AbortSignal): Promise<readonly ToolOutput[]>
}

interface WaitingRun {
  taken: readonly ToolOutput[] | undefined
  /** Takes that are on their way. */
  taking: number
  wake(): void
}

export function createPendingToolOutputs(): PendingToolOutputs {
  const runs = new Map<ReplyId, WaitingRun>()

  async function deliverTo<T extends { readonly type: string }>(
    run: WaitingRun,
    outputs: readonly ToolOutput[],
    take: () => Promise<T>,
  ): Promise<T> {
    run.taking += 1
    try {
      const outcome = await take()
      if (outcome.type === 'taken') run.taken = outputs
      return outcome
    } finally {
      run.taking -= 1
      run.wake()
    }
  }

  return {
    await(replyId) {
      const run: WaitingRun = { taken: undefined, taking: 0, wake: () => undefined }
      runs.set(replyId, run)
      return {
        async taken(signal) {
          using _ = onAbort(signal, () => run.wake())
          for (;;) {
            if (run.taken !== undefined) return run.taken
            if (run.taking === 0) signal.throwIfAborted()
            await new Promise<void>((resolve) => (run.wake = resolve))
          }
        },
        [Symbol.dispose]: () => void runs.delete(replyId),
      }
    },
    deliver(replyId, outputs, take) {
      const run = runs.get(replyId)
      return run && deliverTo(run, outputs, take)
    },
  }
}

/** @throws {@link InvalidInputError} */
export function checkOutputs(outputs: readonly ToolOutput[], maxLength: number): void {
  if (outputs.length === 0)
    throw new InvalidInputError('There must be an output.', { field: ['outputs'] })
  if (new Set(outputs.map(({ toolCallId }) => toolCallId)).size < outputs.length) {
    throw new InvalidInputError('A tool call is listed twice.', { field: ['outputs'] })
  }
  if (outputs.some(({ output }) => output.length > maxLength)) {
    throw new InvalidInputError(`An output may have ${maxLength} characters.`, {
      field: ['outputs'],
    })
  }
}

/** Equal for equal outputs, in whatever order. */
export function digestOfOutputs(outputs: readonly ToolOutput[]): string {
  const pairs = outputs.map(({ toolCallId, output }) => [toolCallId, output])
  const text = JSON.stringify(pairs.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)))
  return createHash('sha256').update(text).digest('base64url')
}
