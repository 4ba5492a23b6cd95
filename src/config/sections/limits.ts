import { z } from 'zod'

/** Clients are told of limits by GraphQL's Int, which ends here. */
const maxInt = 2 ** 31 - 1
const count = (normal: number, { min = 1, max = maxInt } = {}) =>
  z.number().int().min(min).max(max).default(normal)

const mebibyte = 1_048_576

/** Where one limit would make another one useless: what may be sent could not be read, or could not be sent at all. */
const atLeast = [
  // The attachments of one message are uploaded at once.
  ['uploadsPerMinute', 'maxAttachments', 1],
  // A UTF-16 code unit has up to 3 bytes.
  ['maxBodyBytes', 'maxMessageLength', 3],
  // A text is usually twice as long as JSON at most: with a backslash before each byte.
  ['maxAnswerBytes', 'maxReplyBytes', 2],
  ['maxWaitingBytesPerSession', 'maxAnswerBytes', 1],
  ['maxWaitingBytes', 'maxWaitingBytesPerSession', 1],
  ['maxCost', 'maxEventCost', 1],
] as const

/** How much of anything there may be. */
export const limitsSchema = z
  .strictObject({
    /** Bytes of a request's body. Default 256 KiB, at most 1 MiB. */
    maxBodyBytes: count(262_144, { max: mebibyte }),
    /** UTF-16 code units of a message. Default 32,768. */
    maxMessageLength: count(32_768),
    /** Lexical tokens of a GraphQL document. Default 2,000. */
    maxTokens: count(2_000),
    /** Nesting of fields. Default 12. */
    maxDepth: count(12),
    /** Aliases in a document, fragments counted as often as they are spread. Default 30. */
    maxAliases: count(30, { min: 0 }),
    /** Directives in a document. Default 30. */
    maxDirectives: count(30, { min: 0 }),
    /**
     * Cost of a document: fields that are resolved if every page is full; writes and exports cost more.
     * Default 50,000; at least 25,000, since `eraseSession` and `exportSession` cost 20,000.
     */
    maxCost: count(50_000, { min: 25_000 }),
    /** Cost of all documents of one session, per second; at once, as much as one document may. Default 20,000. */
    costPerSecond: count(20_000),
    /** Messages per minute of one session. Default 60. */
    messagesPerMinute: count(60),
    /** Messages per minute of one guest. Default 10. */
    guestMessagesPerMinute: count(10),
    /** Uploads per minute of one session. Default 20. */
    uploadsPerMinute: count(20),
    /** Replies of one session that run at once; more wait. Default 4. */
    maxRunningPerSession: count(4),
    /** Open replies of one session, those that wait included. Default 40. */
    maxOpenPerSession: count(40),
    /** Conversations of one session; deleting one makes room. Default 10,000. */
    maxConversationsPerSession: count(10_000),
    /** Bytes of an uploaded file. Default 20 MiB; the platform takes 512 MiB. */
    maxUploadBytes: count(20 * mebibyte, { max: 512 * mebibyte }),
    /** Attachments of a message. Default 10. */
    maxAttachments: count(10, { min: 0, max: 50 }),
    /** Failures in a row to reach an assistant after which it is not asked for a while. Default 10. */
    circuitFailures: count(10),
    /** Bytes of an answer, and of an event of a subscription. Default 8 MiB. */
    maxAnswerBytes: count(8 * mebibyte, { min: 65_536 }),
    /** Bytes of all answers of one session that are being made or wait to be read. Default 32 MiB. */
    maxWaitingBytesPerSession: count(32 * mebibyte, { min: 65_536 }),
    /** Bytes of all answers of the gateway that are being made or wait to be read. Default 256 MiB. */
    maxWaitingBytes: count(256 * mebibyte, { min: 65_536 }),
    /** Cost of a subscription's document for one event. Default 250. */
    maxEventCost: count(250),
    /** Percent of the heap that may be in use, buffers outside of it included; beyond it nothing new is taken. Default 90. */
    maxHeapPercent: count(90, { max: 100 }),
    /** Percent of the memory of the machine, or of its container, that may be resident; beyond it nothing new is taken. Default 85. */
    maxResidentPercent: count(85, { max: 100 }),
    /** Replies that may wait in one conversation. Default 10. */
    maxQueued: count(10, { min: 0 }),
    /** Open subscriptions of the whole gateway. Default 20,000. */
    maxSubscriptions: count(20_000),
    /** Open subscriptions of one session. Default 50. */
    maxSubscriptionsPerSession: count(50),
    /** Bytes buffered for a subscriber that does not read. Default 64 KiB. */
    maxBufferedBytes: count(65_536, { min: 1_024 }),
    /**
     * Bytes that one reply may hold and write: texts with their corrections, suggestions, questions, tool calls, ids.
     * Default 4 MiB.
     */
    maxReplyBytes: count(4 * mebibyte),
    /** Upstream events of one reply. Default 100,000. */
    maxReplyEvents: count(100_000),
    /** Bytes of one upstream event. Default 8 MiB. */
    maxEventBytes: count(8 * mebibyte, { min: 1_024 }),
    /** Older messages that seed an upstream conversation begun anew. Default 20; the upstream takes 50 with the new one. */
    maxHistoryMessages: count(20, { min: 0, max: 49 }),
    /** Access tokens kept in memory. Default 10,000. */
    maxCachedTokens: count(10_000),
    /** Access tokens that are being obtained at once. Default 20. */
    maxMintsAtOnce: count(20),
    /** Connections to each upstream. Default 2,048. */
    maxUpstreamConnections: count(2_048),
    /** Hours that a reply's events can be resumed after its end; idempotency keys live as long. Default 24, at least 24. */
    logRetentionHours: count(24, { min: 24, max: 24 * 365 }),
    /** Days that messages are kept after they were written; 0: until their conversation is deleted. Default 0. */
    messageRetentionDays: count(0, { min: 0, max: 36_500 }),
  })
  .superRefine((limits, context) => {
    for (const [name, other, times] of atLeast) {
      if (limits[name] >= limits[other] * times) continue
      const bound = times === 1 ? `limits.${other}` : `${times} times limits.${other}`
      const message = `must be at least ${bound}, which is ${limits[other] * times}`
      context.addIssue({ code: 'custom', path: [name], message })
    }
  })

export type Limits = Readonly<z.output<typeof limitsSchema>>
