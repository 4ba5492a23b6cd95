import { z } from 'zod'

/** Clients read limits as GraphQL's Int, which ends here. */
const maxInt = 2 ** 31 - 1

interface Bounds {
  readonly min?: number
  readonly max?: number
  readonly unit?: string
}

function count(normal: number, description: string, bounds: Bounds = {}) {
  const { min = 1, max = maxInt, unit } = bounds
  return z.number().int().min(min).max(max).default(normal).meta({ description, unit })
}

function bytes(normal: number, description: string, bounds: Bounds = {}) {
  return count(normal, description, { ...bounds, unit: 'bytes' })
}

const mebibyte = 1_048_576

/** The limits that would make another limit useless, for example because a permitted message could not be sent. */
const atLeast = [
  // The attachments of one message are uploaded at once.
  ['uploadsPerMinute', 'maxAttachments', 1],
  // A UTF-16 code unit has up to 3 bytes.
  ['maxBodyBytes', 'maxMessageLength', 3],
  // As JSON a text is usually at most twice as long: with a backslash before each byte.
  ['maxAnswerBytes', 'maxReplyBytes', 2],
  // The last event contains the whole answer.
  ['maxEventBytes', 'maxReplyBytes', 2],
  ['maxWaitingBytesPerSession', 'maxAnswerBytes', 1],
  ['maxWaitingBytes', 'maxWaitingBytesPerSession', 1],
  ['maxCost', 'maxEventCost', 1],
] as const

export const limitsSchema = z
  .strictObject({
    maxBodyBytes: bytes(262_144, 'The largest body of a request.', { max: mebibyte }),
    maxMessageLength: count(32_768, 'The longest message.', { unit: 'UTF-16 code units' }),
    maxCredentialBytes: bytes(
      15_360,
      'The largest token or key in the `Authorization` header. The head of a request may have 8 KiB more.',
      { min: 1_024, max: 65_536 },
    ),
    signInsPerMinute: count(300, 'The most requests for `/auth/*` from one client address.', {
      unit: 'requests per minute',
    }),
    // Every operation of schema/operations fits into the smallest values.
    maxTokens: count(2_000, 'The most lexical tokens of a GraphQL document.', {
      min: 200,
      unit: 'tokens',
    }),
    maxDepth: count(12, 'The deepest nesting of fields in a document.', { min: 6, unit: 'levels' }),
    maxAliases: count(
      30,
      'The most aliases in a document. A fragment counts as often as it is spread.',
      {
        min: 0,
        unit: 'aliases',
      },
    ),
    maxDirectives: count(30, 'The most directives in a document.', { min: 0, unit: 'directives' }),
    maxCost: count(
      50_000,
      'The highest cost of a document. Each field that is resolved if every page is full costs 1. Writes and exports cost more: erasing and exporting a session cost 20,000.',
      { min: 25_000, unit: 'points' },
    ),
    costPerSecond: count(
      20_000,
      'The cost that a session may spend in a second, for documents and 1 for each KiB that is read or sent. A session can save up as much as one document may cost.',
      { unit: 'points per second' },
    ),
    messagesPerMinute: count(60, 'The most messages of a session.', {
      unit: 'messages per minute',
    }),
    guestMessagesPerMinute: count(10, 'The most messages of a guest.', {
      unit: 'messages per minute',
    }),
    uploadsPerMinute: count(20, 'The most uploads of a session.', { unit: 'uploads per minute' }),
    maxRunningPerSession: count(
      4,
      'The most replies of a session that run at once, over all gateways. Further replies wait.',
      {
        unit: 'replies',
      },
    ),
    maxOpenPerSession: count(40, 'The most open replies of a session, waiting ones included.', {
      unit: 'replies',
    }),
    maxConversationsPerSession: count(
      10_000,
      'The most conversations of a session. Deleting one makes room for another.',
      { unit: 'conversations' },
    ),
    maxUploadBytes: bytes(20 * mebibyte, 'The largest uploaded file.', { max: 512 * mebibyte }),
    maxAttachments: count(10, 'The most attachments of a message.', {
      min: 0,
      max: 50,
      unit: 'files',
    }),
    circuitFailures: count(
      10,
      'The number of consecutive failures to reach an assistant after which it gets no calls for `timeouts.circuitMs`.',
      { unit: 'failures' },
    ),
    maxAnswerBytes: bytes(
      8 * mebibyte,
      'The largest response to an operation, and the largest event of a subscription.',
      {
        min: 65_536,
      },
    ),
    maxWaitingBytesPerSession: bytes(
      32 * mebibyte,
      'The most bytes of responses of a session that are being made or wait to be read.',
      { min: 65_536 },
    ),
    maxWaitingBytes: bytes(
      256 * mebibyte,
      'The most bytes of all responses that are being made or wait to be read.',
      { min: 65_536 },
    ),
    maxEventCost: count(
      250,
      "The highest cost of a subscription's document for one event. It is spent again for each event.",
      {
        min: 50,
        unit: 'points',
      },
    ),
    maxHeapPercent: count(
      90,
      'The share of the heap that may be in use, buffers outside of it included. Above it no new work is accepted.',
      { max: 100, unit: 'percent' },
    ),
    maxResidentPercent: count(
      85,
      'The share of the memory of the machine, or of its container, that may be resident. Above it no new work is accepted.',
      { max: 100, unit: 'percent' },
    ),
    maxQueued: count(10, 'The most replies that wait in one conversation.', {
      min: 0,
      unit: 'replies',
    }),
    maxSubscriptions: count(20_000, 'The most open subscriptions of the gateway.', {
      unit: 'subscriptions',
    }),
    maxSubscriptionsPerSession: count(
      50,
      'The most open subscriptions of a session. One more replaces the oldest, which can be resumed.',
      {
        unit: 'subscriptions',
      },
    ),
    maxBufferedBytes: bytes(
      65_536,
      'The most bytes that are buffered for a subscriber that does not read.',
      {
        min: 1_024,
      },
    ),
    maxReplyBytes: bytes(
      4 * mebibyte,
      'The largest reply: its texts with their corrections, suggestions, questions, tool calls and ids.',
    ),
    maxReplyEvents: count(100_000, 'The most upstream events of a reply.', { unit: 'events' }),
    maxEventBytes: bytes(8 * mebibyte, 'The largest upstream event.', { min: 1_024 }),
    maxHistoryMessages: count(
      20,
      'The most older messages that a new upstream conversation is given. The platform takes 50, the new message included.',
      { min: 0, max: 49, unit: 'messages' },
    ),
    maxCachedTokens: count(10_000, 'The most access tokens that are kept in memory.', {
      unit: 'tokens',
    }),
    maxMintsAtOnce: count(20, 'The most access tokens that are requested at the same time.', {
      unit: 'tokens',
    }),
    maxUpstreamConnections: count(2_048, 'The most connections to each upstream host.', {
      unit: 'connections',
    }),
    logRetentionHours: count(
      24,
      'How long the events of a reply can be resumed after its end. Idempotency keys are kept as long.',
      { min: 24, max: 24 * 365, unit: 'hours' },
    ),
    messageRetentionDays: count(
      0,
      'How long messages are kept, with the titles made from them and the names of their files. 0 keeps them until their conversation is deleted.',
      { min: 0, max: 36_500, unit: 'days' },
    ),
  })
  .superRefine((limits, context) => {
    for (const [name, other, times] of atLeast) {
      if (limits[name] >= limits[other] * times) continue
      const bound = times === 1 ? `limits.${other}` : `${times} times limits.${other}`
      const message = `must be at least ${bound}, which is ${limits[other] * times}`
      context.addIssue({ code: 'custom', path: [name], message })
    }
  })
  .meta({ description: 'Limits of size, number and rate.' })

export type Limits = Readonly<z.output<typeof limitsSchema>>
