import type { CallContext } from './sessions.ts'

/** The same calls, each of which takes its time. */
export type AsyncCalls<Calls> = {
  readonly [M in keyof Calls]: Calls[M] extends (args: infer Args) => infer Result
    ? (args: Args, context: CallContext) => Promise<Result>
    : never
}
