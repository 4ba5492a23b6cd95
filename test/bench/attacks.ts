import { setTimeout as delay } from 'node:timers/promises'
import {
  ask,
  type Asked,
  type Hostile,
  hold,
  holdHttp2,
  httpRequest,
  pour,
  pourByFew,
  repeat,
  repeatHttp2,
  send,
  type Target,
} from './hostile-client.ts'
import type { Plan } from './plan.ts'

export interface Attack {
  readonly name: string
  /** Each hostile session has so many replies of so many mebibytes, and messages as long as one may be. */
  readonly has?: {
    readonly replies: number
    readonly mebibytes: number
    readonly messages?: number
  }
  /** Hostile sessions; default 8. */
  readonly sessions?: number
  /** The gateway is mounted in a host that speaks HTTP/2 beside it. */
  readonly isHttp2?: boolean
  /** Begins; goes on until the signal aborts. */
  run(target: Target, signal: AbortSignal): Promise<void>
}

/** 96 MB, if it were answered: 27 aliases over three replies. */
const largeDocument = (hostile: Hostile) => texts(27, hostile)
/** 7 MB, which is a little less than one may be. */
const fullDocument = (hostile: Hostile) => texts(2, hostile)
/** 60 kB, which are made and sent at once. */
const smallDocument = ({ messages }: Hostile): Asked => ({
  query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { text } } }',
  variables: { ids: messages.slice(0, 2) },
})
const denseDocument = (): Asked => ({
  query: `{ ${times(25, (n) => `a${n}: conversations(first: 100) { edges { node { id title createdAt messages(first: 100) { edges { node { id role } } } } } }`)} }`,
})
const manyMessages = ({ messages }: Hostile): Asked => ({
  query: `query ($ids: [ID!]!) { ${times(2, (n) => `a${n}: nodes(ids: $ids) { ... on Message { text reply { status } } }`)} }`,
  variables: { ids: messages },
})
const catchUp = ({ replies }: Hostile): Asked => ({
  query:
    'subscription ($id: ID) { replies(replyId: $id) { cursor ... on ReplyDelta { kind offset text } ... on ReplyCompleted { text } } }',
  variables: { id: replies[0] },
})
const pages = (): Asked => ({
  query:
    'subscription { replies { cursor reply { text conversation { messages(first: 20) { edges { node { text } } } } } } }',
})
const exported = (): Asked => ({ query: '{ sessionExport { nextCursor document } }' })

/** So many requests one connection may have: one that is answered, and those that wait. */
const perConnection = 5

const threeOfOne = { replies: 3, mebibytes: 1.15 }
const threeOfFour = { replies: 3, mebibytes: 3.9 }

export const attacks: readonly Attack[] = [
  { name: 'nobody', run: async () => undefined },
  {
    name: '60 unread answers of 96 MB',
    has: threeOfOne,
    run: (target, signal) => hold(target, 60, requestOf(largeDocument), signal),
  },
  {
    name: '60 unread answers of 7 MB',
    has: threeOfOne,
    run: (target, signal) => hold(target, 60, requestOf(fullDocument), signal),
  },
  {
    name: '60 unread answers of 7 MB, by 60',
    has: threeOfOne,
    sessions: 60,
    run: (target, signal) => hold(target, 60, requestOf(fullDocument), signal),
  },
  {
    name: '60 unread answers of 7 MB, HTTP/2',
    has: threeOfOne,
    isHttp2: true,
    run: (target, signal) => holdHttp2(target, 60, fullDocument, signal),
  },
  {
    name: '500 × 5 unread answers of 60 kB',
    has: { ...threeOfOne, messages: 2 },
    run: (target, signal) =>
      hold(
        target,
        500,
        (hostile) => requestOf(smallDocument)(hostile).repeat(perConnection),
        signal,
      ),
  },
  {
    name: '1,000 bodies that never end',
    run: (target, signal) =>
      hold(
        target,
        1_000,
        (hostile) => httpRequest(hostile, { query: ' '.repeat(262_000) }).slice(0, -1_000),
        signal,
      ),
  },
  {
    name: '8 readers of 7 MB, again and again',
    has: threeOfOne,
    run: (target, signal) => repeat(target, 8, fullDocument, signal),
  },
  {
    name: '8 dense documents, again and again',
    has: { ...threeOfOne, messages: 30 },
    run: (target, signal) => repeat(target, 8, denseDocument, signal),
  },
  {
    name: '8 readers of 40 long messages',
    has: { replies: 0, mebibytes: 0, messages: 40 },
    run: (target, signal) => repeat(target, 8, manyMessages, signal),
  },
  {
    name: '8 exports of texts of 4 MB',
    has: threeOfFour,
    run: (target, signal) => repeat(target, 8, exported, signal),
  },
  {
    name: '50 readers that catch up on 4 MB',
    has: threeOfFour,
    run: (target, signal) => repeat(target, 50, catchUp, signal),
  },
  {
    name: '10 subscriptions to pages',
    has: threeOfOne,
    run: (target, signal) => follow(target, 10, signal),
  },
  {
    name: '300 subscriptions to pages of 4 MB',
    has: threeOfFour,
    run: (target, signal) => follow(target, 300, signal),
  },
  {
    name: 'requests poured into one socket',
    run: (target, signal) => pour(target, get('/graphql').repeat(10_000), signal),
  },
  {
    name: 'requests poured, with a credential',
    run: (target, signal) =>
      pour(
        target,
        requestOf(() => ({ query: '{ __typename }' }))(first(target)).repeat(1_000),
        signal,
      ),
  },
  {
    name: 'requests poured into 50 sockets',
    run: (target, signal) => pourInto(target, 50, () => get('/graphql').repeat(100), signal),
  },
  {
    name: 'requests by five on 50 sockets',
    run: async (target, signal) => {
      const pouring = Array.from({ length: 50 }, () =>
        pourByFew(target, get('/graphql'), perConnection, signal),
      )
      await Promise.all(pouring)
    },
  },
  {
    name: 'requests poured, each with a new token',
    run: (target, signal) =>
      pourInto(
        target,
        50,
        (n) =>
          times(
            16,
            (k) => get('/graphql?query=%7Ba%7D', `authorization: Bearer ${n}-${k}\r\n`),
            '',
          ),
        signal,
      ),
  },
  {
    name: 'invalid documents poured into 50',
    run: (target, signal) =>
      pourInto(
        target,
        50,
        (n) => requestOf(() => ({ query: `{ nothing${n} }` }))(first(target)).repeat(16),
        signal,
      ),
  },
  ...['/health/ready', '/auth/guest'].map((path) => ({
    name: `${path} poured into 50 sockets`,
    run: (target: Target, signal: AbortSignal) =>
      pourInto(target, 50, () => get(path).repeat(100), signal),
  })),
  {
    name: 'queries on 50 streams of HTTP/2 each',
    isHttp2: true,
    run: (target, signal) => repeatHttp2(target, 50, () => ({ query: '{ __typename }' }), signal),
  },
  ...(['latin', 'chinese'] as const).map((alphabet) => ({
    name: `replies of 4 MiB that end, ${alphabet}`,
    run: (target: Target, signal: AbortSignal) =>
      endings(target, { kind: 'large', ...longest[alphabet], alphabet }, signal),
  })),
  ...['gigabytes', 'drops', 'bombs', 'headers'].map((way) => ({
    name: `a platform that answers in ${way}`,
    run: (target: Target, signal: AbortSignal) => talkTo(target, way, signal),
  })),
]

const longest = {
  latin: { deltas: 40, length: 100_000 },
  // Three bytes each.
  chinese: { deltas: 40, length: 34_000 },
}

function texts(count: number, { replies }: Hostile): Asked {
  return {
    query: `query ($ids: [ID!]!) { ${times(count, (n) => `a${n}: nodes(ids: $ids) { ... on Reply { text } }`)} }`,
    variables: { ids: replies },
  }
}

function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nhost:x\r\n${more}\r\n`
}

/** As `pour`, on so many connections. */
async function pourInto(
  target: Target,
  count: number,
  bytesOf: (n: number) => string,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => pour(target, bytesOf(n), signal)))
}

function requestOf(document: (hostile: Hostile) => Asked): (hostile: Hostile) => string {
  return (hostile) => httpRequest(hostile, document(hostile))
}

/** Subscriptions, and replies whose events they are told. */
async function follow(target: Target, count: number, signal: AbortSignal): Promise<void> {
  const following = repeat(target, count, pages, signal)
  while (!signal.aborted) {
    for (const { token } of target.hostile.slice(0, 4)) {
      await send(target.port, token, { kind: 'paced', deltas: 40, everyMs: 20 }).catch(ignore)
    }
    await delay(1_000)
  }
  await following
}

async function endings(target: Target, plan: Plan, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { token } of target.hostile) {
      await send(target.port, token, plan).catch(ignore)
      await delay(100)
    }
  }
}

/** Messages to assistants of a hostile platform; a session may send 60 in a minute. */
async function talkTo({ port, hostile }: Target, way: string, signal: AbortSignal): Promise<void> {
  const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }'
  const assistants = ['token', 'create'].map((call) => assistantName(call, way))
  while (!signal.aborted) {
    await Promise.all(
      hostile.flatMap(({ token }) =>
        assistants.map((assistantId) => {
          const input = { text: 'hello', assistantId: assistantId }
          return ask(port, token, { query, variables: { input } }).catch(ignore)
        }),
      ),
    )
    await delay(500)
  }
}

export function assistantName(call: string, way: string): string {
  return `${call}-${way}`
}

function first({ hostile: [one] }: Target): Hostile {
  if (!one) throw new TypeError('nobody is hostile')
  return one
}

function times(count: number, text: (n: number) => string, separator = ' '): string {
  return Array.from({ length: count }, (_, n) => text(n)).join(separator)
}

function ignore(): void {}
