import { Buffer } from 'node:buffer'
import type { WireAnswer } from './server.ts'
import type { UpstreamWorld } from './world.ts'

export type Fields = Readonly<Record<string, unknown>>

/** One call, as its endpoint sees it. */
export interface Call {
  readonly method: string
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

export function answerText(answer: WireAnswer, status: number, body: string): void {
  answer.head(status, { 'content-type': 'text/plain; charset=utf-8' })
  answer.write(Buffer.from(body))
  answer.end()
}

export function parseFields(body: string): Fields {
  return body === '' ? {} : fields(JSON.parse(body))
}

export function fields(value: unknown): Fields {
  return isFields(value) ? value : {}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function texts(from: Fields): Readonly<Record<string, string>> {
  const entries = Object.entries(from).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  )
  return Object.fromEntries(entries)
}

/** What one of the platforms does with a call. */
export interface Endpoints {
  /** True: it has been answered without a look at its token. */
  unauthenticated(call: Call): boolean
  refuseToken(call: Call): void
  begin(call: Call, principal: string): void
}
