import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CancelReplyDocument,
  ConversationDocument,
  ConversationsDocument,
  ReplyDocument,
  StartConversationDocument,
  UploadFileDocument,
  ViewerDocument,
} from '../../schema/operations/generated/graphql.ts'
import { attacks, headerAttack, type Loot } from '../kit/clients/attacks.ts'
import { check } from '../kit/history/checker.ts'
import { findBearers } from '../kit/schema/bearers.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'

describe('P1: isolation', () => {
  let system: System
  let talk: Talk
  const deleted: string[] = []
  beforeAll(async () => {
    system = await startSystem({ limits: { maxCost: 1_000_000_000, costPerSecond: 1_000_000_000 } })
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  describe.each(['flow', 'bot'] as const)('of a conversation with the %s', (assistantId) => {
    it("lets Alice hear her secret back and Bob not, nor in anything that Bob's session holds", async () => {
      const [alice, bob] = [
        system.person(`alice-${assistantId}`),
        system.person(`bob-${assistantId}`),
      ]
      const secret = `plum-${randomBytes(6).toString('hex')}`
      await talk.say(alice, { text: `my secret is ${secret}`, assistantId })
      await talk.say(bob, { text: 'hello', assistantId })
      const asked = { text: 'what is my secret?', assistantId }
      expect(await talk.say(alice, asked)).toMatchObject({ text: `Your secret is ${secret}.` })
      expect(await talk.say(bob, asked)).toMatchObject({ text: 'I do not know your secret.' })

      const everything = `{ conversations { edges { node { messages { edges { node { text } } } } } } }`
      const read = async (who: Person) =>
        (await system.client.call({ token: who.token, query: everything })).body
      expect(await read(alice)).toContain(secret)
      expect(await read(bob)).not.toContain(secret)
    })

    it('T13: gives each session an upstream identity and conversations of its own', async () => {
      const people = ['ann', 'ben', 'cem'].map((name) => system.person(`${name}-${assistantId}`))
      const before = (await system.emulator.state()).chats.length
      await Promise.all(people.map((who) => talk.say(who, { text: 'hello', assistantId })))
      const chats = (await system.emulator.state()).chats.slice(before)
      expect(chats).toHaveLength(people.length)
      expect(new Set(chats.map((chat) => chat.sessionName)).size).toBe(people.length)
      expect(new Set(chats.map((chat) => chat.conversationId)).size).toBe(people.length)
    })
  })

  it('T4: keeps subjects apart that look alike', async () => {
    const lookAlikes = [
      'Eve',
      'eve',
      'eve ',
      'ｅｖｅ',
      'e\u0301ve',
      'éve',
      'eve/',
      'eve%00',
      'eve:1',
    ]
    const people = lookAlikes.map((name) => system.person(name))
    await Promise.all(people.map((who, at) => talk.say(who, `my number is n-${at}`)))
    const answers = await Promise.all(people.map((who) => talk.say(who, 'what is my number?')))
    expect(answers).toMatchObject(people.map((_, at) => ({ text: `Your number is n-${at}.` })))
  })

  it('T6: tells people apart who share one connection', async () => {
    const [one, two] = [system.person('shared-1'), system.person('shared-2')]
    const fingerprints = []
    for (const who of [one, two, one, two]) {
      fingerprints.push((await talk.ask(who, ViewerDocument, {}))?.viewer.sessionFingerprint)
    }
    expect(fingerprints[0]).toEqual(fingerprints[2])
    expect(fingerprints[1]).toEqual(fingerprints[3])
    expect(fingerprints[0]).not.toEqual(fingerprints[1])
  })

  describe("T1 T2 T3: another session's ids, cursors and keys", () => {
    it('are attacked wherever the schema takes one', () => {
      expect(Object.keys(attacks).sort()).toEqual(findBearers())
    })

    const all = Object.entries(attacks).flatMap(([path, attack]) =>
      attack === 'shared' ? [] : [[path, attack] as const],
    )
    all.push(['the Last-Event-ID header', headerAttack])
    it.each(all)('are as useless as ones that never were: %s', async (path, attack) => {
      const alice = system.person(`owner of ${path}`)
      const mallory = system.person(`thief of ${path}`)
      const [loot, own] = [await collectLoot(alice), await collectLoot(mallory)]
      const stolen = loot[attack.steals]
      const invented = invent(stolen)
      const { client } = system

      const robbed = show(await attack.run(client, mallory, stolen, own), stolen)
      const guessed = show(await attack.run(client, mallory, invented, own), invented)
      expect(robbed).toEqual(guessed)
      expect(await talk.snapshot(alice, loot.replyId)).toMatchObject({ status: 'COMPLETED' })

      const used = show(await attack.run(client, alice, stolen, loot), stolen)
      const missed = show(await attack.run(client, alice, invent(stolen), loot), invented)
      if (path === 'Mutation.deleteConversation.input.conversationId') deleted.push(loot.replyId)
      if (attack.steals === 'idempotencyKey') expect(used.raw).toContain(loot.replyId)
      else if (attack.steals === 'startKey') expect(used.raw).toContain(loot.conversationId)
      else expect(used).not.toEqual(missed)
    })
  })

  it("T2: lets nobody stop another's reply while it runs", async () => {
    const [alice, mallory] = [system.person('speaking'), system.person('silencing')]
    await system.emulator.faults('/v1/workflows/chat', {
      kind: 'pause',
      afterDeltas: 1,
      name: 'T2',
    })
    const { id } = await talk.send(alice, '/long 9')
    await system.emulator.until({ held: 'T2' })
    const query = CancelReplyDocument.toString()
    const cancel = (replyId: string) =>
      system.client.call({ token: mallory.token, query, variables: { input: { replyId } } })
    const [robbed, guessed] = [await cancel(id), await cancel(invent(id))]
    expect(show(robbed, id)).toEqual(show(guessed, invent(id)))
    await system.emulator.release('T2')
    await talk.ending(alice, id)
    expect(await talk.snapshot(alice, id)).toMatchObject({ status: 'COMPLETED' })
  })

  it('holds for all that was said here', async () => {
    await talk.settle({ deleted })
    expect(check(talk.recorder.history)).toEqual([])
  })

  async function upload(who: Person): Promise<string> {
    const query = UploadFileDocument.toString()
    const file = { name: 'notes.txt', mediaType: 'text/plain', text: 'mine' }
    const operation = { token: who.token, query, variables: { input: { assistantId: 'bot' } } }
    const { body } = await system.client.upload(operation, file)
    return JSON.parse(body).data.uploadFile.attachment.id
  }

  async function collectLoot(who: Person): Promise<Loot> {
    const idempotencyKey = randomBytes(16).toString('base64url')
    const text = 'a message of mine'
    const startKey = randomBytes(16).toString('base64url')
    const input = { assistantId: 'flow', idempotencyKey: startKey }
    await talk.ask(who, StartConversationDocument, { input })
    const sent = await talk.send(who, { text, idempotencyKey })
    const events = await talk.listen(who, sent.id)
    const conversations = await talk.ask(who, ConversationsDocument, {})
    const conversation = await talk.ask(who, ConversationDocument, { id: sent.conversation.id })
    const answer = await talk.ask(who, ReplyDocument, { id: sent.id })
    return {
      replyId: sent.id,
      conversationId: sent.conversation.id,
      messageId: sent.message.id,
      answerId: present(answer?.reply?.answer?.id),
      attachmentId: await upload(who),
      exportPlace: exportPlace(sent.conversation.id),
      cursor: present(events[0]).cursor,
      conversationRow: present(conversations?.conversations.edges[0]).cursor,
      messageRow: present(conversation?.conversation?.messages.edges[0]).cursor,
      idempotencyKey,
      startKey,
      text,
    }
  }
})

/** As an export that goes on behind this conversation, the only one, would name its place. */
function exportPlace(conversationId: string): string {
  const [, key = ''] = Buffer.from(conversationId, 'base64url').toString().split(':')
  return Buffer.from(`Export:1 ${key} `).toString('base64url')
}

/** A value of the same form as `value` that nobody was ever given. */
function invent(value: string): string {
  const [tag = '', ...position] = value.split('.')
  if (position.length > 0) return ['A'.repeat(tag.length), ...position].join('.')
  const plain = Buffer.from(value, 'base64url').toString('latin1')
  const [, type] = /^([A-Za-z]+:)./.exec(plain) ?? []
  if (type === undefined) return randomBytes(16).toString('base64url')
  if (type === 'Export:') {
    const invented = plain.replace(/ \S+ /, ` ${randomBytes(16).toString('base64url')} `)
    return Buffer.from(invented).toString('base64url')
  }
  return Buffer.from(type + randomBytes(16).toString('base64url')).toString('base64url')
}

/** An answer without what may differ between any two: ids, the value itself, the time. */
function show(
  answer: { readonly status: number; readonly body: string },
  value: string,
): { readonly status: number; readonly body: string; readonly raw?: string } {
  const body = answer.body.replaceAll(value, '<value>').replace(/[\w-]{22,}/g, '<id>')
  return Object.defineProperty({ status: answer.status, body }, 'raw', {
    value: answer.body,
    enumerable: false,
  })
}

function present<T>(value: T | null | undefined): T {
  if (value == null) throw new Error('nothing to steal')
  return value
}
