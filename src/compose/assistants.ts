import type { Config } from '../config/config.ts'
import { createCozeClient } from '../coze/client.ts'
import type { IsolationTarget, TargetVerdict } from '../domain/isolation.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import { type Assistants, createAssistants } from '../strategy/assistants.ts'
import type { Dependencies } from './dependencies.ts'
import type { SharedLane } from './lane.ts'

/**
 * The configured assistants over a client of their own.
 * @throws `TypeError` for an assistant that does not keep sessions apart
 */
export async function openAssistants(
  { assistants, timeouts, limits, proxy, probe }: Config,
  { clock, random, newId, metrics, tracer, dispatcher }: Dependencies,
  {
    onFailure,
    verdictOf,
    lane,
  }: {
    /** Called for every upstream call that failed. */
    readonly onFailure: (failure: UpstreamFailure) => void
    readonly verdictOf: (target: IsolationTarget) => TargetVerdict
    readonly lane: SharedLane | undefined
  },
): Promise<Assistants> {
  await using stack = new AsyncDisposableStack()
  const common = { clock, random, metrics, timeouts, limits }
  const client = stack.use(createCozeClient({ ...common, tracer, onFailure, dispatcher, proxy }))
  const opened = stack.use(
    createAssistants(assistants, {
      ...common,
      client,
      newId,
      verdictOf,
      sharedTokens: lane?.tokens,
    }),
  )
  // The opening is read as part of the check at the start, so that the first users see it.
  if (probe.checkAtStart) for (const { id } of assistants) void opened.openingOf(id)
  const owned = stack.move()
  return { ...opened, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
