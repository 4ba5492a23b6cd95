import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationDocument,
  EraseSessionDocument,
  ReplyExplanationDocument,
} from '../../schema/operations/generated/graphql.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'

describe('what operators see', () => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem()
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  const audited = () =>
    system.gateway.output
      .split('\n')
      .filter((line) => line.includes('"audit"'))
      .map((line): Record<string, unknown> => JSON.parse(line))

  it('explains a reply to operators, and to nobody else', async () => {
    const name = 'explained'
    const { id } = await talk.send(system.person(name), { text: 'hello', assistantId: 'bot' })
    await talk.ending(system.person(name), id)
    const layers = 'layers { layer keyedBy }'
    const query = `query ($id: ID!) { reply(id: $id) { explanation {
      strategy reason ${layers} upstreamChatId upstreamLogId firstDeltaMs retries
    } } }`
    const ask = async (token: string) =>
      JSON.parse((await system.client.call({ token, query, variables: { id } })).body)
    const refused = await ask(system.person(name).token)
    expect(refused).toMatchObject({
      data: { reply: { explanation: null } },
      errors: [{ path: ['reply', 'explanation'], extensions: { code: 'FORBIDDEN' } }],
    })
    const told = await ask(system.tokenFor(name, 600, 'a coze-gateway:operator b'))
    const { explanation } = told.data.reply
    expect(explanation).toMatchObject({
      strategy: 'BOT',
      reason: expect.any(String),
      retries: 0,
      firstDeltaMs: expect.any(Number),
      upstreamLogId: expect.stringMatching(/^\d{14}/),
      upstreamChatId: expect.stringMatching(/^\d{19}$/),
    })
    expect(explanation.layers.map(({ layer }: { layer: string }) => layer).sort()).toEqual([
      'CONVERSATION',
      'IDENTITY',
      'KNOWLEDGE',
      'VARIABLES',
    ])
  })

  it("finds the explanation of a user's reply by its id, without a word of it, for operators alone", async () => {
    const user = system.person('who-asks-support')
    const { id: replyId } = await talk.send(user, { text: 'plum', assistantId: 'bot' })
    await talk.ending(user, replyId)
    const query = ReplyExplanationDocument.toString()
    const ask = async (token: string, variables: object = { replyId }) =>
      JSON.parse((await system.client.call({ token, query, variables: { ...variables } })).body)
    const support = system.tokenFor('support', 600, 'coze-gateway:operator')
    const told = await ask(support)
    expect(told.data.replyExplanation).toMatchObject({
      strategy: 'BOT',
      upstreamChatId: expect.stringMatching(/^\d{19}$/),
    })
    expect(JSON.stringify(told)).not.toContain('plum')
    const refused = await ask(user.token)
    expect([refused.data, refused.errors[0].extensions.code]).toEqual([
      { replyExplanation: null },
      'FORBIDDEN',
    ])
    for (const other of ['junk', encodeGlobal('Reply', 'never-was')]) {
      expect(await ask(support, { replyId: other })).toEqual({ data: { replyExplanation: null } })
    }
  })

  it('audits the creation and the erasure of a session, once each, naming nobody', async () => {
    const who = system.person('audited-person')
    const before = audited().length
    await talk.say(who, 'one')
    await talk.say(who, 'two')
    expect(audited().slice(before)).toMatchObject([
      { audit: 'session created', caller: 'jwt', session: expect.stringMatching(/^[\w-]{12}$/) },
    ])
    await talk.ask(who, EraseSessionDocument, {})
    const [created, erased, ...more] = audited().slice(before)
    expect(erased).toMatchObject({
      audit: 'session erased',
      session: created?.['session'],
      conversations: 1,
      messages: 4,
      deleted: 1,
    })
    expect(more).toEqual([])
    const { chats } = await system.emulator.state()
    const names = chats.map(({ sessionName }) => sessionName ?? '')
    for (const name of ['audited-person', ...names]) {
      expect(JSON.stringify([created, erased])).not.toContain(name)
    }
  })
})

describe('the history of a conversation', () => {
  it('is what is kept here, and is never read back from the platform', async () => {
    await using system = await startSystem()
    const talk = createTalk(system)
    const who = system.person('historian')
    const { conversation, id } = await talk.send(who, { text: 'one', assistantId: 'bot' })
    await talk.ending(who, id)
    for (const text of ['two', 'three']) await talk.say(who, { text, assistantId: 'bot' })
    const read = async (variables: object) => {
      const answer = await talk.ask(who, ConversationDocument, {
        id: conversation.id,
        ...variables,
      })
      const { edges = [], pageInfo } = answer?.conversation?.messages ?? {}
      return { texts: edges.map(({ node }) => `${node.role} ${node.text}`), pageInfo }
    }
    const newest = await read({ last: 2 })
    expect(newest.texts).toEqual(['USER three', 'ASSISTANT You said: three'])
    expect(newest.pageInfo?.hasPreviousPage).toBe(true)
    const before = await read({ last: 4, before: newest.pageInfo?.startCursor })
    expect(before).toMatchObject({
      texts: ['USER one', 'ASSISTANT You said: one', 'USER two', 'ASSISTANT You said: two'],
      pageInfo: { hasPreviousPage: false },
    })

    // As retention leaves it: the oldest messages of a conversation are gone.
    await system.gateway.kill('SIGTERM')
    const db = new DatabaseSync(system.storeFile)
    db.exec('DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT 4)')
    db.close()
    await system.gateway.restart()
    const listPath = '/v1/conversation/message/list'
    await system.emulator.repeatFaults(listPath, 5, { kind: 'status', status: 500, body: '' })
    expect(await read({ last: 20 })).toMatchObject({
      texts: ['USER three', 'ASSISTANT You said: three'],
      pageInfo: { hasPreviousPage: false },
    })
    expect((await read({ first: 20 })).pageInfo?.hasPreviousPage).toBe(false)
  })
})
