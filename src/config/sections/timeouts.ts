import { z } from 'zod'

const day = 86_400_000
/** For running replies after SIGTERM. */
export const defaultDrainMs = 25_000
const ms = (normal: number, { min = 1, max = day } = {}) =>
  z.number().int().min(min).max(max).default(normal)

/** How long anything may take. All in ms. */
export const timeoutsSchema = z.strictObject({
  /** To open a connection to the upstream. Default 5 s. */
  connectMs: ms(5_000),
  /** For an ordinary upstream call, not a stream: create, retrieve, list, cancel. Default 15 s. */
  callMs: ms(15_000),
  /** From sending a message to the first event of its run. Default 60 s. */
  firstEventMs: ms(60_000),
  /** Silence of a running Bot before it is given up. Default 2 min. */
  idleBotMs: ms(120_000),
  /** Silence of a running Workflow: one may legally work for 10 min without a word. Default 10 min. */
  idleWorkflowMs: ms(600_000),
  /** For a whole run. Default 10 min. */
  totalMs: ms(600_000),
  /** To obtain an access token. Default 10 s. */
  tokenMs: ms(10_000),
  /** Within which a refused connection is tried again. Default 5 s. */
  retryMs: ms(5_000, { min: 0 }),
  /** The longest `Retry-After` of the upstream that is waited for. Default 30 s. */
  rateLimitWaitMs: ms(30_000, { min: 0 }),
  /** For a conversation that something else keeps busy upstream (4016). Default 10 s. */
  busyWaitMs: ms(10_000, { min: 0 }),
  /** To find out how a run ended whose stream was lost. Default 2 min. */
  recoverMs: ms(120_000),
  /** At the head of a conversation's queue, before a reply fails as EXPIRED. Default 10 min. */
  queueExpiryMs: ms(600_000),
  /** For tool outputs, before a reply fails as ACTION_EXPIRED. Default 10 min. */
  actionMs: ms(600_000),
  /** For the upload of a file. Default 2 min. */
  uploadMs: ms(120_000),
  /** An assistant that cannot be reached is left alone for so long, then tried with one message. Default 30 s. */
  circuitMs: ms(30_000),
  /** Between two checks that the credential of a live subscription is still accepted. Default 1 min. */
  credentialCheckMs: ms(60_000),
  /** For running replies after SIGTERM. Default 25 s. */
  drainMs: ms(defaultDrainMs, { min: 0 }),
  /** Between two comments that keep an idle subscription open. Default 12 s. */
  keepAliveMs: ms(12_000),
  /** For a client that does not read its answer or its stream before its socket is closed. Default 60 s. */
  stalledMs: ms(60_000),
  /** For a client to send its request's head. Default 10 s. */
  headersMs: ms(10_000),
  /** For a client to send its whole request. Default 30 s. */
  requestMs: ms(30_000),
})

export type Timeouts = Readonly<z.output<typeof timeoutsSchema>>
