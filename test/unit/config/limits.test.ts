import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse } from 'graphql'
import { limitsSchema } from '../../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../../src/config/sections/timeouts.ts'
import { fieldCosts } from '../../../src/graphql/cost.ts'
import { schema } from '../../../src/graphql/schema.ts'
import { checkDocument } from '../../../src/server/graphql/document-limits.ts'

const limits = limitsSchema.parse({})
const timeouts = timeoutsSchema.parse({})
const costOf = (source: string) => checkDocument(parse(source), limits, fieldCosts(schema))
const send = 'mutation { sendMessage(input: { text: "x" }) { __typename } }'
const upload = 'mutation ($in: UploadFileInput!) { uploadFile(input: $in) { __typename } }'
const tools =
  'mutation ($in: SubmitToolOutputsInput!) { submitToolOutputs(input: $in) { __typename } }'

/** What a session may spend at once, and what in a minute. */
const atOnce = limits.maxCost
const perMinute = limits.costPerSecond * 60

describe('the default limits', () => {
  it.each([
    [
      'the attachments of a message are uploaded at once',
      limits.maxAttachments,
      limits.uploadsPerMinute,
    ],
    ['their uploads fit into the query budget', limits.maxAttachments * costOf(upload), atOnce],
    ['the uploads of a minute fit into it', limits.uploadsPerMinute * costOf(upload), perMinute],
    [
      'as many messages are sent at once as replies may be open',
      limits.maxOpenPerSession * costOf(send),
      atOnce,
    ],
    ['the messages of a minute fit into it', limits.messagesPerMinute * costOf(send), perMinute],
    [
      'all open replies get their tool outputs at once',
      limits.maxOpenPerSession * costOf(tools),
      atOnce,
    ],
    ['messages that queue are open replies', limits.maxQueued + 1, limits.maxOpenPerSession],
    ['more replies may be open than run', limits.maxRunningPerSession, limits.maxOpenPerSession],
    [
      'the longest message fits into a body, each code unit escaped',
      limits.maxMessageLength * 6,
      limits.maxBodyBytes,
    ],
    [
      'an upstream event holds the longest answer, each byte escaped',
      limits.maxReplyBytes * 2,
      limits.maxEventBytes,
    ],
    [
      'a session has no more streams than all have',
      limits.maxSubscriptionsPerSession,
      limits.maxSubscriptions,
    ],
    ['what a document may nest fits into its tokens', limits.maxDepth * 2, limits.maxTokens],
    [
      'an idle stream is kept alive before it counts as stalled',
      timeouts.keepAliveMs,
      timeouts.stalledMs,
    ],
    ['a request may come as slowly as its head', timeouts.headersMs, timeouts.requestMs],
    ['a file may come as slowly as a request', timeouts.requestMs, timeouts.uploadMs],
    ['a connection may open as slowly as a call may take', timeouts.connectMs, timeouts.callMs],
    ['a token may come as slowly as a first event', timeouts.tokenMs, timeouts.firstEventMs],
    ['a Bot may be silent as long as a run may take', timeouts.idleBotMs, timeouts.totalMs],
    [
      'a Workflow may be silent as long as a run may take',
      timeouts.idleWorkflowMs,
      timeouts.totalMs,
    ],
  ])('do not contradict each other: %s', (_what, small, large) => {
    expect(small).toBeLessThanOrEqual(large)
  })
})

describe('limits that would make others useless', () => {
  it.each([
    ['maxCost', { maxCost: 20_000 }],
    ['uploadsPerMinute', { maxAttachments: 21 }],
    ['maxBodyBytes', { maxMessageLength: 200_000 }],
    ['maxEventBytes', { maxEventBytes: 8_000_000 }],
  ])('are refused by the name of %s', (name, given) => {
    const { error } = limitsSchema.safeParse(given)
    expect(error?.issues.map(({ path }) => path)).toEqual([[name]])
  })

  it.each([
    ['maxTokens', 200],
    ['maxDepth', 6],
    ['maxEventCost', 50],
    ['maxCost', 25_000],
  ] as const)('the least %s lets every ready operation through', async (name, least) => {
    const given = { [name]: least }
    expect(limitsSchema.safeParse({ [name]: least - 1 }).success).toBe(false)
    const operations = new URL('../../../schema/operations/', import.meta.url)
    const files = (await readdir(operations)).filter((file) => file.endsWith('.graphql'))
    expect(files.length).toBeGreaterThan(20)
    for (const file of files) {
      const source = await readFile(new URL(file, operations), 'utf8')
      const { maxTokens, ...rest } = limitsSchema.parse(given)
      const document = parse(source, { maxTokens })
      expect(() => checkDocument(document, rest, fieldCosts(schema)), file).not.toThrow()
    }
  })

  it('the least maxCost lets every mutation and the export through', () => {
    const least = { ...limits, maxCost: 25_000 }
    expect(limitsSchema.safeParse({ maxCost: least.maxCost }).success).toBe(true)
    for (const [name, points] of fieldCosts(schema)) {
      const source = `{ ${name} { ${'a '.repeat(50)} } }`
      expect(checkDocument(parse(source), least, fieldCosts(schema))).toBeGreaterThan(points)
    }
  })
})
