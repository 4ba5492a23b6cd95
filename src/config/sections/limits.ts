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

/** Where one limit would make another one useless: what may be sent could not be read, or could not be sent at all. */
const atLeast = [
  // The attachments of one message are uploaded at once.
  ['uploadsPerMinute', 'maxAttachments', 1],
  // A UTF-16 code unit has up to 3 bytes.
  ['maxBodyBytes', 'maxMessageLength', 3],
  // A text is usually twice as long as JSON at most: with a backslash before each byte.
  ['maxAnswerBytes', 'maxReplyBytes', 2],
  // One event brings the whole answer when it is complete.
  ['maxEventBytes', 'maxReplyBytes', 2],
  ['maxWaitingBytesPerSession', 'maxAnswerBytes', 1],
  ['maxWaitingBytes', 'maxWaitingBytesPerSession', 1],
  ['maxCost', 'maxEventCost', 1],
] as const

export const limitsSchema = z
  .strictObject({
    maxBodyBytes: bytes(262_144, "Size of a request's body.", { max: mebibyte }),
    maxMessageLength: count(32_768, 'Length of a message.', { unit: 'UTF-16 code units' }),
    maxCredentialBytes: bytes(
      15_360,
      'Size of a token or key in the `Authorization` header; the head of a request may have 8 KiB more.',
      { min: 1_024, max: 65_536 },
    ),
    signInsPerMinute: count(300, 'Requests for `/auth/*` from one client address.', {
      unit: 'requests per minute',
    }),
    maxTokens: count(2_000, 'Lexical tokens of a GraphQL document.', { unit: 'tokens' }),
    maxDepth: count(12, 'Nesting of fields in a document.', { unit: 'levels' }),
    maxAliases: count(30, 'Aliases in a document; a fragment counts as often as it is spread.', {
      min: 0,
      unit: 'aliases',
    }),
    maxDirectives: count(30, 'Directives in a document.', { min: 0, unit: 'directives' }),
    maxCost: count(
      50_000,
      'Cost of a document: the fields that are resolved if every page is full; writes and exports cost more. Erasing and exporting a session cost 20,000.',
      { min: 25_000, unit: 'points' },
    ),
    costPerSecond: count(
      20_000,
      'Cost of all documents of a session, and 1 for each KiB that is read or answered; as much as one document may cost can be spent at once.',
      { unit: 'points per second' },
    ),
    messagesPerMinute: count(60, 'Messages of a session.', { unit: 'messages per minute' }),
    guestMessagesPerMinute: count(10, 'Messages of a guest.', { unit: 'messages per minute' }),
    uploadsPerMinute: count(20, 'Uploads of a session.', { unit: 'uploads per minute' }),
    maxRunningPerSession: count(4, 'Replies of a session that run at once; more of them wait.', {
      unit: 'replies',
    }),
    maxOpenPerSession: count(40, 'Open replies of a session, those that wait included.', {
      unit: 'replies',
    }),
    maxConversationsPerSession: count(
      10_000,
      'Conversations of a session; deleting one makes room for another.',
      { unit: 'conversations' },
    ),
    maxUploadBytes: bytes(20 * mebibyte, 'Size of an uploaded file.', { max: 512 * mebibyte }),
    maxAttachments: count(10, 'Attachments of a message.', { min: 0, max: 50, unit: 'files' }),
    circuitFailures: count(
      10,
      'Failures in a row to reach an assistant, after which it is left alone for `timeouts.circuitMs`.',
      { unit: 'failures' },
    ),
    maxAnswerBytes: bytes(8 * mebibyte, 'Size of an answer, and of an event of a subscription.', {
      min: 65_536,
    }),
    maxWaitingBytesPerSession: bytes(
      32 * mebibyte,
      'Size of all answers of a session that are being made or wait to be read.',
      { min: 65_536 },
    ),
    maxWaitingBytes: bytes(
      256 * mebibyte,
      'Size of all answers of the gateway that are being made or wait to be read.',
      { min: 65_536 },
    ),
    maxEventCost: count(
      250,
      "Cost of a subscription's document for one event, which is spent again for each event.",
      {
        unit: 'points',
      },
    ),
    maxHeapPercent: count(
      90,
      'Share of the heap that may be in use, buffers outside of it included; above it no new work is accepted.',
      { max: 100, unit: 'percent' },
    ),
    maxResidentPercent: count(
      85,
      'Share of the memory of the machine, or of its container, that may be resident; above it no new work is accepted.',
      { max: 100, unit: 'percent' },
    ),
    maxQueued: count(10, 'Replies that may wait in one conversation.', {
      min: 0,
      unit: 'replies',
    }),
    maxSubscriptions: count(20_000, 'Open subscriptions of the gateway.', {
      unit: 'subscriptions',
    }),
    maxSubscriptionsPerSession: count(
      50,
      'Open subscriptions of a session; one more takes the place of the oldest, which can be resumed.',
      {
        unit: 'subscriptions',
      },
    ),
    maxBufferedBytes: bytes(
      65_536,
      'Size of what is buffered for a subscriber that does not read.',
      {
        min: 1_024,
      },
    ),
    maxReplyBytes: bytes(
      4 * mebibyte,
      'Size of all that one reply may hold: texts with their corrections, suggestions, questions, tool calls and ids.',
    ),
    maxReplyEvents: count(100_000, 'Upstream events of a reply.', { unit: 'events' }),
    maxEventBytes: bytes(8 * mebibyte, 'Size of an upstream event.', { min: 1_024 }),
    maxHistoryMessages: count(
      20,
      'Older messages that seed an upstream conversation begun anew; the platform takes 50 with the new one.',
      { min: 0, max: 49, unit: 'messages' },
    ),
    maxCachedTokens: count(10_000, 'Access tokens that are kept in memory.', { unit: 'tokens' }),
    maxMintsAtOnce: count(20, 'Access tokens that are being obtained at once.', {
      unit: 'tokens',
    }),
    maxUpstreamConnections: count(2_048, 'Connections to each upstream host.', {
      unit: 'connections',
    }),
    logRetentionHours: count(
      24,
      "Time after its end in which a reply's events can be resumed; idempotency keys live as long.",
      { min: 24, max: 24 * 365, unit: 'hours' },
    ),
    messageRetentionDays: count(
      0,
      'Time that messages are kept after they were written, and with them the titles that they gave and the names of their files; 0 keeps them until their conversation is deleted.',
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
  .meta({ description: 'How much of anything there may be.' })

export type Limits = Readonly<z.output<typeof limitsSchema>>
