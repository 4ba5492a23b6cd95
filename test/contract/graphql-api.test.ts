import { describe, expect, it } from 'vitest'
import {
  CancelReplyDocument,
  ConversationDocument,
  ConversationsDocument,
  NodeDocument,
  NodesDocument,
  ReplyDocument,
  SendMessageDocument,
  StartConversationDocument,
} from '../../schema/operations/generated/graphql.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { createClient } from '../kit/clients/client.ts'
import { openFakeGateway } from '../kit/fakes/gateway.ts'

async function open() {
  const gateway = await openFakeGateway()
  const client = createClient(gateway.url)
  async function run(
    query: { toString(): string },
    variables: Record<string, unknown> = {},
    token = 'alice',
  ) {
    const { body } = await client.call({ token, query: query.toString(), variables })
    return JSON.parse(body)
  }
  const send = async (input: Record<string, unknown>) =>
    (await run(SendMessageDocument, { input })).data.sendMessage
  return {
    gateway,
    alice: gateway.session('alice'),
    run,
    send,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await gateway[Symbol.asyncDispose]()
    },
  }
}

describe('sendMessage', () => {
  it.each([
    ['an empty text', { text: ' \n' }, 'INVALID_INPUT'],
    ['a text that is too long', { text: 'x'.repeat(1_001) }, 'INVALID_INPUT'],
    ['a long idempotency key', { text: 'x', idempotencyKey: 'k'.repeat(256) }, 'INVALID_INPUT'],
    ['an unknown assistant', { text: 'x', assistantId: 'nobody' }, 'NOT_FOUND'],
    ['a garbage conversation', { text: 'x', conversationId: 'c0' }, 'NOT_FOUND'],
    [
      'an unknown conversation',
      { text: 'x', conversationId: encodeGlobal('Conversation', 'c9') },
      'NOT_FOUND',
    ],
    [
      'an id of another type',
      { text: 'x', conversationId: encodeGlobal('Reply', 'r0') },
      'NOT_FOUND',
    ],
  ])('refuses %s as a member of its result', async (_what, input, code) => {
    await using system = await open()
    expect(await system.send(input)).toMatchObject({ code })
  })

  it('takes an assistant by global id, by configured id and by name', async () => {
    await using system = await open()
    for (const assistantId of [encodeGlobal('Assistant', 'bot'), 'bot', 'Bot']) {
      await system.send({ text: 'x', assistantId })
    }
    expect(system.alice.sent.map(({ assistantId }) => assistantId)).toEqual(['bot', 'bot', 'bot'])
  })

  it('keys idempotency by the input as it was sent, in any order, without defaults', async () => {
    await using system = await open()
    await system.send({ text: 'x', idempotencyKey: 'k' })
    await system.send({ idempotencyKey: 'k', text: 'x' })
    await system.run(
      `mutation($text: String!) { sendMessage(input: { text: $text, idempotencyKey: "k" }) { __typename } }`,
      { text: 'x' },
    )
    const inputs = system.alice.sent.map(({ idempotency }) => idempotency?.input)
    expect(inputs).toEqual(Array(3).fill('{"idempotencyKey":"k","text":"x"}'))
  })
})

describe('reads by id', () => {
  it('are one store call for all nodes of a type', async () => {
    await using system = await open()
    for (const text of ['a', 'b', 'c']) await system.send({ text })
    system.alice.reads.length = 0
    const ids = ['r0', 'r1', 'r2', 'r9'].map((id) => encodeGlobal('Reply', id))
    const { data } = await system.run(NodesDocument, {
      ids: [...ids, encodeGlobal('Conversation', 'c0'), encodeGlobal('Assistant', 'bot'), 'junk'],
    })
    expect(data.nodes.map((node: { __typename: string } | null) => node?.__typename)).toEqual([
      'Reply',
      'Reply',
      'Reply',
      undefined,
      'Conversation',
      'Assistant',
      undefined,
    ])
    expect(system.alice.reads.toSorted((a, b) => a.type.localeCompare(b.type))).toEqual([
      { type: 'conversations', ids: 1 },
      { type: 'replies', ids: 4 },
    ])
  })

  it('answer another session and a stranger exactly as an id that never was', async () => {
    await using system = await open()
    const { reply } = await system.send({ text: 'mine' })
    for (const id of [
      reply.id,
      reply.conversation.id,
      encodeGlobal('Reply', 'r77'),
      'junk',
      '',
      'x'.repeat(9_999),
    ]) {
      for (const document of [NodeDocument, ReplyDocument, ConversationDocument]) {
        const { data, errors } = await system.run(document, { id }, 'bob')
        expect(errors).toBeUndefined()
        expect(Object.values(data)).toEqual([null])
      }
      const cancelled = await system.run(CancelReplyDocument, { input: { replyId: id } }, 'bob')
      expect(cancelled.data.cancelReply).toEqual({
        __typename: 'NotFoundError',
        code: 'NOT_FOUND',
        message: 'There is no such reply.',
        field: ['replyId'],
        retryAfterMs: null,
      })
    }
    expect((await system.run(NodeDocument, { id: reply.id })).data.node.id).toBe(reply.id)
  })
})

describe('connections', () => {
  it('lead forward and backward through the same rows', async () => {
    await using system = await open()
    for (let n = 0; n < 5; n += 1) await system.run(StartConversationDocument, { input: {} })
    const walk = async (size: 'first' | 'last', place: 'after' | 'before') => {
      const seen: string[] = []
      for (let at: string | null = null; ;) {
        const { data } = await system.run(ConversationsDocument, { [size]: 2, [place]: at })
        const { edges, pageInfo } = data.conversations
        const ids = edges.map(({ node }: { node: { id: string } }) => node.id)
        if (size === 'first') seen.push(...ids)
        else seen.unshift(...ids)
        if (!(size === 'first' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) return seen
        at = size === 'first' ? pageInfo.endCursor : pageInfo.startCursor
      }
    }
    const forward = await walk('first', 'after')
    expect(new Set(forward).size).toBe(5)
    expect(await walk('last', 'before')).toEqual(forward)
  })

  it.each([
    [{ first: 0 }],
    [{ first: 101 }],
    [{ last: -1 }],
    [{ first: 1, last: 1 }],
    [{ first: 1, after: 'junk' }],
    [{ first: 1, after: encodeGlobal('Row', 'c99') }],
    [{ last: 1, before: encodeGlobal('Conversation', 'c0') }],
  ])('refuse %j', async (args) => {
    await using system = await open()
    const { errors } = await system.run(ConversationsDocument, args)
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
  })
})
