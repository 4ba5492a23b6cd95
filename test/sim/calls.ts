import type { GatewayProcess } from './gateway.ts'

export type CallOutcome<T> =
  | { readonly type: 'answered'; readonly value: T }
  | { readonly type: 'refused'; readonly error: unknown }
  /** The gateway died before it answered. */
  | { readonly type: 'lost' }

/** One request of a client, which hears nothing when the gateway dies. */
export async function call<T>(
  gateway: GatewayProcess,
  run: () => Promise<T>,
): Promise<CallOutcome<T>> {
  const entered = Promise.withResolvers<CallOutcome<T>>()
  gateway.clock.enter(() => {
    run().then(
      (value) => gateway.clock.enter(() => entered.resolve({ type: 'answered', value })),
      (error: unknown) => gateway.clock.enter(() => entered.resolve({ type: 'refused', error })),
    )
  })
  return Promise.race([
    entered.promise,
    gateway.died.then((): CallOutcome<T> => ({ type: 'lost' })),
  ])
}
