import { Buffer } from 'node:buffer'
import type { WireAnswer } from './server.ts'
import type { UpstreamWorld } from './world.ts'

export type Fields = Readonly<Record<string, unknown>>

/** One call, as its endpoint sees it. */
export interface Call {
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Fields
  readonly bearer: string
  readonly answer: WireAnswer
}

export function answerJson(
  world: UpstreamWorld,
  answer: WireAnswer,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  answer.head(status, {
    'content-type': 'application/json',
    'x-tt-logid': 'log',
    date: new Date(world.now()).toUTCString(),
    ...headers,
  })
  answer.write(Buffer.from(JSON.stringify(body)))
  answer.end()
}
