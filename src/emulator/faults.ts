import { z } from 'zod'
import { type RoutePath, routePaths } from './routes.ts'

const count = z.number().int().min(0)
/** The number of deltas before the fault; 0: before the first. */
const afterDeltas = count.default(1)
/** The name under which `/_emulator/release` and `/_emulator/wait` know what is held. */
const holdName = (name: string) => z.string().min(1).default(name)
const kind = <const K extends string>(name: K) => z.literal(name)

/** What can go wrong with one request, on demand. Several faults may be combined for one request. */
export const faultSchema = z.discriminatedUnion('kind', [
  // Before the request is read.
  /** The socket is destroyed at once. */
  z.strictObject({ kind: kind('refuse') }),
  /** The request waits for so many milliseconds. */
  z.strictObject({ kind: kind('delay'), ms: z.number().min(0) }),
  /** The request waits until it is released. */
  z.strictObject({ kind: kind('hold'), name: holdName('hold') }),
  /** A response with this status; `retryAfter` is the header's text. */
  z.strictObject({
    kind: kind('status'),
    status: z.number().int().min(200).max(599),
    retryAfter: z.string().optional(),
    body: z.string().default(''),
  }),
  /** An error envelope instead of what was asked for, also instead of a stream. */
  z.strictObject({
    kind: kind('jsonError'),
    code: z.union([z.number().int(), z.string()]),
    msg: z.string().default('on demand'),
    status: z.number().int().min(200).max(599).default(200),
    finalNewline: z.boolean().default(false),
  }),
  /** Kills the caller's access tokens (or all), before or after this request is authorised with one. */
  z.strictObject({
    kind: kind('revokeTokens'),
    when: z.enum(['before', 'after']).default('before'),
    all: z.boolean().default(false),
  }),

  // The request is accepted; the response suffers.
  /** Accepted and carried out, but the socket is destroyed before the response head. */
  z.strictObject({ kind: kind('lostReply') }),
  /** Cuts after so many body bytes, or (streams) at the event after so many deltas: in its middle or before it. */
  z.strictObject({
    kind: kind('cut'),
    afterBytes: count.optional(),
    afterDeltas: count.optional(),
    where: z.enum(['mid-event', 'between']).default('mid-event'),
  }),
  /** No more bytes while the chat runs on. All of them come once released. */
  z.strictObject({ kind: kind('stall'), afterDeltas, name: holdName('stall') }),
  /** Every `bytes` bytes are a write and a chunk of their own; 0 = random sizes of 1 to 16. */
  z.strictObject({ kind: kind('split'), bytes: count.default(1) }),
  /** Broken JSON: as an event of a stream, or as the whole body of a JSON response. */
  z.strictObject({ kind: kind('malformed'), afterDeltas }),
  /** All events or rows carry this conversation id instead of their own. */
  z.strictObject({ kind: kind('sharedConversation'), conversationId: z.string() }),
  /** One event (or every row) of another chat. */
  z.strictObject({ kind: kind('foreignChat'), afterDeltas }),
  /** One event (or every row) of another conversation. */
  z.strictObject({ kind: kind('foreignConversation'), afterDeltas }),

  /** Times are texts, as in samples of the documentation. */
  z.strictObject({ kind: kind('textTimes') }),
  /** Chats that ask for nothing carry an empty `required_action`, as in samples of an SDK. */
  z.strictObject({ kind: kind('emptyAction') }),

  // Streams only.
  /** The chat itself waits: nothing more happens upstream until it is released. */
  z.strictObject({
    kind: kind('pause'),
    afterDeltas: count.default(0),
    name: holdName('pause'),
  }),
  /** The same events in other bytes. */
  z.strictObject({
    kind: kind('framing'),
    newline: z.enum(['\n', '\r\n', '\r']).default('\n'),
    bom: z.boolean().default(false),
    comments: z.boolean().default(false),
    ids: z.boolean().default(false),
    /** JSON spread over several `data:` lines. */
    multiline: z.boolean().default(false),
  }),
  /** An `error` event with this data, JSON or not, ends the stream. */
  z.strictObject({ kind: kind('errorEvent'), afterDeltas, data: z.string().default('{}') }),
  /** Every event, or those of one name, twice. */
  z.strictObject({ kind: kind('duplicate'), only: z.string().optional() }),
  /** The first two deltas change places. */
  z.strictObject({ kind: kind('reorder') }),
  /** Conversation ids are empty, `"0"` or absent. */
  z.strictObject({
    kind: kind('missingConversation'),
    value: z.enum(['', '0', 'absent']).default('absent'),
  }),
  /** One delta of so many bytes. */
  z.strictObject({ kind: kind('oversize'), bytes: count, afterDeltas }),
  /** Deltas, or one line, without an end until the client goes. */
  z.strictObject({
    kind: kind('endless'),
    what: z.enum(['deltas', 'line']).default('deltas'),
    afterDeltas,
  }),
  /** The completed answer is this text, whatever was streamed. */
  z.strictObject({ kind: kind('completedMismatch'), text: z.string() }),
  z.strictObject({ kind: kind('deltaAfterCompleted') }),
  z.strictObject({ kind: kind('secondCompleted') }),
  z.strictObject({
    kind: kind('unknownEvent'),
    name: z.string().default('conversation.chat.mood'),
  }),
  /** The body ends properly, but without a terminal event and, unless `done` is set, without `done`. */
  z.strictObject({ kind: kind('noTerminal'), done: z.boolean().default(false) }),
  /** The same without `done` alone. */
  z.strictObject({ kind: kind('noDone') }),
])

export type Fault = z.output<typeof faultSchema>
/** A fault as it is written: defaults may be left out. */
export type FaultInput = z.input<typeof faultSchema>
export type FaultOf<K extends Fault['kind']> = Extract<Fault, { kind: K }>

export function findFault<K extends Fault['kind']>(
  faults: readonly Fault[],
  kind: K,
): FaultOf<K> | undefined {
  return faults.find((fault): fault is FaultOf<K> => fault.kind === kind)
}

/** The body of `POST /_emulator/faults`. */
export const faultOrderSchema = z.strictObject({
  path: z.enum(routePaths),
  /** None: so many requests pass before the next order holds. */
  faults: z.array(faultSchema),
  times: z.number().int().min(1).default(1),
})

/** The ordered faults, in a queue for each path. */
export interface Faults {
  /** The next request to `path` meets all these faults. Later requests meet what was ordered later. */
  next(path: RoutePath, ...faults: readonly FaultInput[]): void
  /** The same for the next `times` requests. */
  repeat(path: RoutePath, times: number, ...faults: readonly FaultInput[]): void
  take(path: RoutePath): readonly Fault[]
  clear(): void
}

export function createFaults(): Faults {
  const orders = new Map<RoutePath, { faults: readonly Fault[]; left: number }[]>()

  function repeat(path: RoutePath, times: number, ...faults: readonly FaultInput[]) {
    const queue = orders.get(path) ?? []
    queue.push({ faults: faults.map((fault) => faultSchema.parse(fault)), left: times })
    orders.set(path, queue)
  }

  return {
    next: (path, ...faults) => repeat(path, 1, ...faults),
    repeat,
    take(path) {
      const queue = orders.get(path) ?? []
      const [order] = queue
      if (order === undefined) return []
      order.left -= 1
      if (order.left === 0) queue.shift()
      return order.faults
    },
    clear: () => orders.clear(),
  }
}
