import { z } from 'zod'

const day = 86_400_000
const ms = (normal: number, description: string, { min = 1 } = {}) =>
  z.number().int().min(min).max(day).default(normal).meta({ description, unit: 'ms' })

export const timeoutsSchema = z
  .strictObject({
    connectMs: ms(5_000, 'To open a connection to the upstream.'),
    callMs: ms(15_000, 'For an upstream call that is no stream: create, retrieve, list, cancel.'),
    firstEventMs: ms(60_000, 'From sending a message to the first event of its run.'),
    idleBotMs: ms(120_000, 'Silence of a running Bot before it is given up.'),
    idleWorkflowMs: ms(
      600_000,
      'Silence of a running Workflow before it is given up; one may rightly work for 10 minutes without an event.',
    ),
    totalMs: ms(600_000, 'For a whole run.'),
    tokenMs: ms(10_000, 'To obtain an access token.'),
    retryMs: ms(5_000, 'In which a refused connection is tried again.', { min: 0 }),
    rateLimitWaitMs: ms(
      30_000,
      'The longest `Retry-After` of the upstream that is waited for; longer ones fail the reply.',
      { min: 0 },
    ),
    busyWaitMs: ms(
      10_000,
      'For a conversation that another client keeps busy upstream (code 4016).',
      { min: 0 },
    ),
    recoverMs: ms(120_000, 'To find out how a run ended whose stream was lost.'),
    queueExpiryMs: ms(
      600_000,
      "At the head of a conversation's queue, before a reply fails as EXPIRED.",
    ),
    actionMs: ms(600_000, 'For tool outputs, before a reply fails as ACTION_EXPIRED.'),
    uploadMs: ms(120_000, 'For the upload of a file.'),
    circuitMs: ms(
      30_000,
      'In which an assistant that could not be reached is left alone, before one message tries it again.',
    ),
    credentialCheckMs: ms(
      60_000,
      'Between two checks that the credential of a live subscription is still accepted.',
    ),
    drainMs: ms(25_000, 'For running replies to end after SIGTERM.', { min: 0 }),
    keepAliveMs: ms(12_000, 'Between two comments that keep an idle subscription open.'),
    stalledMs: ms(
      60_000,
      'For a client to read its answer or its stream, before its socket is closed.',
    ),
    headersMs: ms(10_000, "For a client to send its request's head."),
    requestMs: ms(30_000, 'For a client to send its whole request.'),
    idleConnectionMs: ms(
      65_000,
      'For the next request of a connection that is kept alive; longer than the proxy before the gateway keeps its own.',
    ),
  })
  .meta({ description: 'How long anything may take.' })

export type Timeouts = Readonly<z.output<typeof timeoutsSchema>>
