import type { GraphError, Observation, ObservedEvent } from './observation.ts'
import type { Fetch, StreamRequest, StreamTransport } from './transport.ts'

/** The gateway under examination, as one caller sees it. */
export interface Subject {
  readonly transports: readonly StreamTransport[]
  readonly token: string
  /** The token of another caller of the same gateway. */
  readonly otherToken: string | undefined
  /** A token of the same caller that expires while the examination runs. */
  readonly expiringToken: string | undefined
  /** Makes the gateway drain; it is not asked anything after that. */
  readonly drain: (() => Promise<void>) | undefined
  readonly random: () => number
  newKey(): string
  /** One request that is no stream. */
  ask<Data>(query: string, options?: AskOptions): Promise<Asked<Data>>
  /** Sends a message and returns the id of its reply. */
  send(): Promise<string>
  /** The input of the message that `send` sends. */
  readonly message: { readonly text: string; readonly assistantId?: string }
  /** Everything that a reader of a stream sees, to the end of the stream. */
  observe(
    transport: StreamTransport,
    request: Partial<StreamRequest>,
  ): Promise<readonly Observation[]>
  /** One reply with what a reader of each transport has seen of it. It is sent once, for all rules that need one. */
  sample(): Promise<Sample>
  readonly signal: AbortSignal
}

export interface AskOptions {
  readonly variables?: object
  /** Undefined: none is sent. Default: the caller's. */
  readonly token?: string | undefined
}

export interface Asked<Data> {
  readonly status: number
  readonly headers: Headers
  readonly data: Data | undefined
  readonly errors: readonly GraphError[]
}

export interface Sample {
  readonly replyId: string
  /** `Reply.text` when the reply had ended. */
  readonly text: string
  readonly readings: readonly Reading[]
}

export interface Reading {
  readonly transport: StreamTransport
  readonly observations: readonly Observation[]
}

/** The gateway does not do what a sentence of the protocol says. The message says what was seen. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** @throws {@link Violation} where it is not so */
export function demand(condition: boolean, seen: string): asserts condition {
  if (!condition) throw new Violation(seen)
}

export const repliesDocument = `subscription Conformance($replyId: ID, $after: String) {
  replies(replyId: $replyId, after: $after) {
    __typename cursor replyId
    ... on ReplyDelta { kind offset text }
    ... on ReplyCompleted { text }
  }
}`

export const sendDocument = `mutation Conformance($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessageSuccess { reply { id } }
    ... on UserError { code retryAfterMs }
  }
}`

export interface Sent {
  readonly sendMessage: {
    readonly __typename: string
    readonly reply?: { readonly id: string }
    readonly code?: string
    readonly retryAfterMs?: number | null
  }
}

export interface SubjectOptions {
  readonly url: URL
  readonly transports: readonly StreamTransport[]
  readonly token: string
  readonly otherToken?: string | undefined
  readonly expiringToken?: string | undefined
  readonly drain?: (() => Promise<void>) | undefined
  readonly message: Subject['message']
  readonly fetch: Fetch
  readonly random: () => number
  readonly newKey: () => string
  readonly sleep: (ms: number) => Promise<void>
}

export function createSubject(options: SubjectOptions, signal: AbortSignal): Subject {
  const { url, token, otherToken, expiringToken, drain, message, fetch, random, newKey } = options
  const { transports, sleep } = options
  let sample: Promise<Sample> | undefined

  async function ask<Data>(query: string, asked: AskOptions = {}): Promise<Asked<Data>> {
    const bearer = 'token' in asked ? asked.token : token
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json, application/json',
        'content-type': 'application/json',
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify({ query, variables: asked.variables }),
      signal,
    })
    const { data, errors = [] }: { readonly data?: Data | null; readonly errors?: GraphError[] } =
      JSON.parse(await response.text())
    const { status, headers } = response
    return { status, headers, data: data ?? undefined, errors }
  }

  /** A limit of the session is no violation: what it refuses is sent again, under the same key, when it may be. */
  async function send(): Promise<string> {
    const input = { ...message, idempotencyKey: newKey() }
    for (;;) {
      const { data, errors } = await ask<Sent>(sendDocument, { variables: { input } })
      const { reply, code, retryAfterMs } = data?.sendMessage ?? {}
      if (reply !== undefined) return reply.id
      const refusal = code ?? errors[0]?.extensions?.code ?? 'no answer'
      demand(typeof retryAfterMs === 'number', `sendMessage was refused: ${refusal}`)
      await sleep(retryAfterMs)
    }
  }

  async function observe(transport: StreamTransport, request: Partial<StreamRequest>) {
    const observations: Observation[] = []
    const whole = { token, query: repliesDocument, ...request }
    for await (const one of transport.open(whole, signal)) observations.push(one)
    return observations
  }

  async function takeSample(): Promise<Sample> {
    const replyId = await send()
    const readings = await Promise.all(
      transports.map(async (transport) => ({
        transport,
        observations: await observe(transport, { variables: { replyId } }),
      })),
    )
    const query = 'query Conformance($id: ID!) { reply(id: $id) { text } }'
    const { data } = await ask<{ reply: { text: string } | null }>(query, {
      variables: { id: replyId },
    })
    return { replyId, text: data?.reply?.text ?? '', readings }
  }

  return {
    transports,
    token,
    otherToken,
    expiringToken,
    drain,
    random,
    newKey,
    ask,
    send,
    message,
    observe,
    sample: () => (sample ??= takeSample()),
    signal,
  }
}

/** The events among observations. */
export function eventsOf(observations: readonly Observation[]): readonly ObservedEvent[] {
  return observations.flatMap((one) => (one.kind === 'event' ? [one.event] : []))
}

/** What is accepted although it should be refused would be read for ever. */
const refusalMs = 10_000

/** The code with which a stream is refused, or what came instead of a refusal. */
export async function refusalOf(
  subject: Subject,
  transport: StreamTransport,
  request: Partial<StreamRequest>,
): Promise<string> {
  const deadline = AbortSignal.timeout(refusalMs)
  const whole = { token: subject.token, query: repliesDocument, ...request }
  try {
    for await (const one of transport.open(whole, AbortSignal.any([subject.signal, deadline]))) {
      if (one.kind === 'errors') return one.errors[0]?.extensions?.code ?? 'none'
      if (one.kind === 'event') return 'an event instead'
    }
    return 'the end instead'
  } catch (error) {
    if (deadline.aborted) return 'a stream instead'
    throw error
  }
}

export function isLastEvent({ __typename }: ObservedEvent): boolean {
  return ['ReplyCompleted', 'ReplyFailed', 'ReplyCancelled'].includes(__typename)
}

/** A reader's text after some events, built as the protocol says. */
export function builtText(events: readonly ObservedEvent[], kind = 'ANSWER'): string {
  let text = ''
  for (const event of events) {
    if (event.__typename === 'ReplyDelta' && event.kind === kind)
      text = text.slice(0, event.offset) + event.text
  }
  return text
}
