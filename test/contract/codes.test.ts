import { readFileSync } from 'node:fs'
import { buildSchema, isObjectType, isUnionType } from 'graphql'
import { describe, expect, it, vi } from 'vitest'
import {
  CancelReplyDocument,
  ClearConversationDocument,
  ClearQuarantineDocument,
  DeleteConversationDocument,
  EraseSessionDocument,
  ProbeAssistantDocument,
  RateAnswerDocument,
  RemoveRatingDocument,
  RenameConversationDocument,
  RepliesDocument,
  ReplyDocument,
  SendMessageDocument,
  StartConversationDocument,
  SubmitToolOutputsDocument,
  UploadFileDocument,
} from '../../schema/operations/generated/graphql.ts'
import { type ReplyId, replyFailureCodes } from '../../src/domain.ts'
import {
  type AnyGatewayError,
  AssistantUnavailableError,
  ConversationBusyError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  QueueFullError,
  RateLimitedError,
  TooLargeError,
} from '../../src/errors.ts'
import type { TargetVerdict } from '../../src/domain/isolation.ts'
import type { IsolationPort } from '../../src/graphql/context.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { type Client, createClient } from '../kit/clients/client.ts'
import { replyCodes, unionCodes } from '../kit/schema/codes.ts'
import { openFakeGateway, unproven } from '../kit/fakes/gateway.ts'
import type { FakeSession } from '../kit/fakes/session.ts'

const schema = buildSchema(
  readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'),
)

/** How each mutation is asked, and what of the session may refuse it. */
const mutations: Readonly<
  Record<
    string,
    {
      readonly document: { toString(): string }
      readonly input?: Readonly<Record<string, unknown>>
      refuse(session: FakeSession & { readonly isolation: IsolationPort }, error: Error): void
    }
  >
> = {
  sendMessage: {
    document: SendMessageDocument,
    input: { text: 'x' },
    refuse: ({ replies }, error) => vi.spyOn(replies, 'sendMessage').mockRejectedValue(error),
  },
  cancelReply: {
    document: CancelReplyDocument,
    input: { replyId: encodeGlobal('Reply', 'r0') },
    refuse: ({ replies }, error) => vi.spyOn(replies, 'cancelReply').mockRejectedValue(error),
  },
  submitToolOutputs: {
    document: SubmitToolOutputsDocument,
    input: { replyId: encodeGlobal('Reply', 'r0'), outputs: [{ callId: 'c', output: 'o' }] },
    refuse: ({ replies }, error) => vi.spyOn(replies, 'submitToolOutputs').mockRejectedValue(error),
  },
  startConversation: {
    document: StartConversationDocument,
    input: {},
    refuse: ({ conversations }, error) => vi.spyOn(conversations, 'start').mockRejectedValue(error),
  },
  renameConversation: {
    document: RenameConversationDocument,
    input: { conversationId: encodeGlobal('Conversation', 'c0'), title: 'x' },
    refuse: ({ conversations }, error) =>
      vi.spyOn(conversations, 'rename').mockRejectedValue(error),
  },
  clearConversation: {
    document: ClearConversationDocument,
    input: { conversationId: encodeGlobal('Conversation', 'c0') },
    refuse: ({ conversations }, error) => vi.spyOn(conversations, 'clear').mockRejectedValue(error),
  },
  deleteConversation: {
    document: DeleteConversationDocument,
    input: { conversationId: encodeGlobal('Conversation', 'c0') },
    refuse: ({ conversations }, error) =>
      vi.spyOn(conversations, 'delete').mockRejectedValue(error),
  },
  rateAnswer: {
    document: RateAnswerDocument,
    input: { messageId: encodeGlobal('Message', 'm0'), rating: 'LIKE' },
    refuse: ({ conversations }, error) => vi.spyOn(conversations, 'rate').mockRejectedValue(error),
  },
  removeRating: {
    document: RemoveRatingDocument,
    input: { messageId: encodeGlobal('Message', 'm0') },
    refuse: ({ conversations }, error) => vi.spyOn(conversations, 'rate').mockRejectedValue(error),
  },
  eraseSession: {
    document: EraseSessionDocument,
    refuse: ({ conversations }, error) => vi.spyOn(conversations, 'erase').mockRejectedValue(error),
  },
  clearQuarantine: {
    document: ClearQuarantineDocument,
    input: { assistantId: 'flow' },
    refuse: ({ isolation }, error) => vi.spyOn(isolation, 'clear').mockRejectedValue(error),
  },
  probeAssistant: {
    document: ProbeAssistantDocument,
    input: {},
    refuse: ({ isolation }, error) =>
      vi.spyOn(isolation, 'begin').mockImplementation(() => {
        throw error
      }),
  },
  uploadFile: {
    document: UploadFileDocument,
    refuse: ({ conversations }, error) =>
      vi.spyOn(conversations, 'uploadFile').mockRejectedValue(error),
  },
}

/** Every member of every result union that is an error: what the schema says may happen. */
const members = Object.values(schema.getMutationType()?.getFields() ?? {}).flatMap((field) => {
  const union = schema.getType(String(field.type).replace(/!$/, ''))
  return isUnionType(union)
    ? union
        .getTypes()
        .filter((type) => isObjectType(type) && type.getInterfaces().length > 0)
        .map((type) => [field.name, type.name] as const)
    : []
})

describe('a mutation that is refused', () => {
  it.each(members)('%s answers %s as a member of its result', async (name, member) => {
    const isolation = { ...unproven }
    await using gateway = await openFakeGateway({ isolation, operators: ['alice'] })
    using client = createClient(gateway.url)
    const error = errorOf(member)
    mutations[name]?.refuse(Object.assign(gateway.session('alice'), { isolation }), error)
    const answer = await ask(client, name)
    expect(answer.data[name]).toMatchObject({
      __typename: member,
      code: error.code,
      message: error.message,
      field: null,
      retryAfterMs: 'retryAfterMs' in error ? error.retryAfterMs : null,
    })
  })

  it('does so with every code of the schema', () => {
    const inUnions = new Set(members.map(([, member]) => errorOf(member).code))
    const inSchema = schema.getType('UserErrorCode')
    const values = inSchema && 'getValues' in inSchema ? inSchema.getValues() : []
    expect(inUnions).toEqual(new Set(values.map((value) => value.name)))
    expect(inUnions).toEqual(unionCodes)
    expect(Object.keys(mutations).sort()).toEqual(
      Object.keys(schema.getMutationType()?.getFields() ?? {}).sort(),
    )
  })
})

describe('a reply that fails', () => {
  it.each(replyFailureCodes)('says %s on its stream', async (code) => {
    await using gateway = await openFakeGateway()
    using client = createClient(gateway.url)
    const alice = gateway.session('alice')
    await ask(client, 'sendMessage')
    const id = encodeGlobal('Reply', 'r0')
    const failure = { code, message: 'Why.', retryable: true, retryAfterMs: 1_500 }
    alice.append('r0' as ReplyId, { type: 'failed', ...failure })
    using stream = await client.stream({
      token: 'alice',
      query: RepliesDocument.toString(),
      variables: { replyId: id },
    })
    const frame = await stream.next()
    expect(JSON.parse(frame?.data ?? '').data.replies).toMatchObject({
      __typename: 'ReplyFailed',
      failure,
    })
    const { body } = await client.call({
      token: 'alice',
      query: ReplyDocument.toString(),
      variables: { id },
    })
    expect(JSON.parse(body).data.reply).toMatchObject({ status: 'FAILED', failure })
  })

  it('does so with every code of the schema', () => {
    const inSchema = schema.getType('ReplyFailureCode')
    const values = inSchema && 'getValues' in inSchema ? inSchema.getValues() : []
    expect(values.map((value) => value.name).sort()).toEqual([...replyFailureCodes].sort())
    expect([...replyFailureCodes].filter((code) => !replyCodes.has(code))).toEqual([])
  })
})

const verdicts: readonly TargetVerdict[] = [
  'UNPROVEN',
  'ISOLATED',
  'LEAKING',
  'INCONCLUSIVE',
  'BREACHED',
  'STALE',
]

describe('an assistant', () => {
  it.each(verdicts)('tells its verdict %s to operators, and to nobody else', async (verdict) => {
    const isolation: IsolationPort = {
      ...unproven,
      describe: (id) => ({ ...unproven.describe(id), verdict }),
    }
    await using gateway = await openFakeGateway({ isolation, operators: ['olga'] })
    using client = createClient(gateway.url)
    const query = '{ assistants { isAvailable isolation { verdict } } }'
    const ask = async (token: string) => JSON.parse((await client.call({ token, query })).body)
    const told = await ask('olga')
    expect(told.data.assistants[0]).toEqual({ isAvailable: true, isolation: { verdict } })
    const withheld = await ask('alice')
    expect(withheld.data.assistants[0]).toEqual({ isAvailable: true, isolation: null })
    expect(withheld.errors[0].extensions.code).toBe('FORBIDDEN')
  })

  it('does so with every verdict of the schema', () => {
    const inSchema = schema.getType('IsolationVerdict')
    const values = inSchema && 'getValues' in inSchema ? inSchema.getValues() : []
    expect(values.map((value) => value.name).sort()).toEqual(verdicts.toSorted())
  })
})

/** The error behind a member of a union: both have one name. */
const refusals: Readonly<Record<string, AnyGatewayError>> = Object.fromEntries(
  [
    new AssistantUnavailableError('Nobody is there.', 2_500),
    new ConversationBusyError('It is busy.'),
    new IdempotencyMismatchError('It was another.'),
    new InvalidInputError('It is invalid.'),
    new NotFoundError('It is not there.'),
    new NotSupportedError('It cannot be done.'),
    new QueueFullError('It is full.'),
    new RateLimitedError('It is too often.', 1_500),
    new TooLargeError('It is too large.'),
  ].map((error) => [error.name, error]),
)

function errorOf(member: string): AnyGatewayError {
  const error = refusals[member]
  if (!error) throw new Error(`no error is called ${member}`)
  return error
}

async function ask(client: Client, name: string): Promise<{ data: Record<string, unknown> }> {
  const asked = mutations[name]
  if (!asked) throw new Error(`the test does not know ${name}`)
  const operation = { token: 'alice', query: asked.document.toString() }
  const file = { name: 'notes.txt', mediaType: 'text/plain', text: 'hello' }
  const { body } =
    name === 'uploadFile'
      ? await client.upload(operation, file)
      : await client.call({
          ...operation,
          ...(asked.input && { variables: { input: asked.input } }),
        })
  return JSON.parse(body)
}
