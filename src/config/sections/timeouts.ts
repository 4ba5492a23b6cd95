import { z } from 'zod'

const day = 86_400_000
const ms = (normal: number, description: string, { min = 1 } = {}) =>
  z.number().int().min(min).max(day).default(normal).meta({ description, unit: 'ms' })

export const timeoutsSchema = z
  .strictObject({
    connectMs: ms(5_000, 'The time limit for opening a connection to the upstream.'),
    callMs: ms(
      15_000,
      'The time limit for an upstream call without a stream: create, retrieve, list or cancel.',
    ),
    firstEventMs: ms(
      60_000,
      'The longest time from sending a message to the first event of its run.',
    ),
    idleBotMs: ms(120_000, 'The longest silence of a running Bot. After it the reply fails.'),
    idleWorkflowMs: ms(
      600_000,
      'The longest silence of a running Workflow. After it the reply fails. A Workflow may work for 10 minutes without an event.',
    ),
    totalMs: ms(600_000, 'The time limit for a whole run.'),
    tokenMs: ms(10_000, 'The time limit for obtaining an access token.'),
    retryMs: ms(5_000, 'The time during which a refused connection is tried again.', { min: 0 }),
    rateLimitWaitMs: ms(
      30_000,
      'The longest `Retry-After` of the upstream that is waited for. A longer one fails the reply.',
      { min: 0 },
    ),
    busyWaitMs: ms(
      10_000,
      'The longest wait for a conversation that another client keeps busy on the platform (code 4016).',
      { min: 0 },
    ),
    recoverMs: ms(
      120_000,
      'The time limit for finding out how a run ended after its stream was lost.',
    ),
    queueExpiryMs: ms(
      600_000,
      "The longest wait at the head of a conversation's queue. After it the reply fails as EXPIRED.",
    ),
    actionMs: ms(
      600_000,
      'The longest wait for tool outputs. After it the reply fails as ACTION_EXPIRED.',
    ),
    uploadMs: ms(120_000, 'The time limit for the upload of a file.'),
    circuitMs: ms(
      30_000,
      'The pause after an assistant could not be reached. After it, one message tries the assistant again.',
    ),
    credentialCheckMs: ms(
      60_000,
      'The time between two checks that the credential of an open subscription is still accepted.',
    ),
    drainMs: ms(25_000, 'The time that running replies have to end after SIGTERM.', { min: 0 }),
    keepAliveMs: ms(12_000, 'The time between two comments that keep an idle subscription open.'),
    stalledMs: ms(
      60_000,
      'The longest time that a client may not read its response or stream. After it the socket is closed.',
    ),
    headersMs: ms(10_000, 'The time limit for a client to send the head of a request.'),
    requestMs: ms(30_000, 'The time limit for a client to send a whole request.'),
    idleConnectionMs: ms(
      65_000,
      'How long an idle connection is kept for the next request. It should be longer than the same time of the proxy in front.',
    ),
  })
  .meta({ description: 'Time limits.' })

export type Timeouts = Readonly<z.output<typeof timeoutsSchema>>
