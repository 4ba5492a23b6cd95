import type { ReplyEventData } from '../clients/recorder.ts'

export interface File {
  readonly name: string
  readonly text: string
}

/** A client library as its recipe in docs/clients.md uses it, for one caller. */
export interface RecipeClient extends AsyncDisposable {
  /** The data of a query or mutation. Rejects with a {@link RefusedError}. */
  request(query: string, variables?: object): Promise<unknown>
  /** The events of `replies`, to the end. Leaving the loop closes the stream. Throws a {@link RefusedError}. */
  subscribe(query: string, variables: object): AsyncIterable<ReplyEventData>
  /** The data of `uploadFile`. */
  upload(query: string, input: object, file: File): Promise<unknown>
}

/** What the gateway has refused, or with what it has ended a stream. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code: string
  readonly resumeAfter: string | undefined

  constructor(errors: unknown) {
    const [first] = Array.isArray(errors) ? errors : [errors]
    const { code = 'none', resumeAfter } = Object(Object(first).extensions)
    super(String(code))
    this.code = String(code)
    this.resumeAfter = resumeAfter === undefined ? undefined : String(resumeAfter)
  }
}

interface Result {
  readonly data?: unknown
  readonly errors?: unknown
}

/** @throws {@link RefusedError} */
export function dataOf({ data, errors }: Result): unknown {
  if (errors !== undefined) throw new RefusedError(errors)
  return data
}

/** @throws {@link RefusedError} */
export function eventOf(result: Result): ReplyEventData {
  return Object(dataOf(result)).replies
}

export interface Sink<Value> {
  readonly next: (value: Value) => void
  readonly error: (error: unknown) => void
  readonly complete: () => void
}

/** What a library tells by callbacks, as a loop. `begin` returns a function that ends it. */
export async function* iterate<Value>(
  begin: (sink: Sink<Value>) => () => void,
): AsyncGenerator<Value, void, undefined> {
  const values: Value[] = []
  let wake = Promise.withResolvers<void>()
  let end: { readonly error?: unknown } | undefined
  const finish = (how: { readonly error?: unknown }) => {
    end ??= how
    wake.resolve()
  }
  const stop = begin({
    next(value) {
      values.push(value)
      wake.resolve()
    },
    error: (error) => finish({ error }),
    complete: () => finish({}),
  })
  try {
    for (;;) {
      yield* values.splice(0)
      if (values.length > 0) continue
      if (end !== undefined) {
        if ('error' in end) throw end.error
        return
      }
      await wake.promise
      wake = Promise.withResolvers()
    }
  } finally {
    stop()
  }
}

/** A request by `fetch`, as the recipes make it whose library has subscriptions alone. */
export async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  query: string,
  variables: object = {},
): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return dataOf(Object(await response.json()))
}

/** By the GraphQL multipart request, which needs no library. */
export async function postFile(
  url: string,
  headers: Readonly<Record<string, string>>,
  query: string,
  input: object,
  { name, text }: File,
): Promise<unknown> {
  const body = new FormData()
  const variables = { input: { ...input, file: null } }
  body.append('operations', JSON.stringify({ query, variables }))
  body.append('map', '{"0":["variables.input.file"]}')
  body.append('0', new Blob([text], { type: 'text/plain' }), name)
  const own = { ...headers, 'graphql-require-preflight': '1' }
  const response = await fetch(url, { method: 'POST', headers: own, body })
  return dataOf(Object(await response.json()))
}
