import { describe, expect, it } from 'vitest'
import type { ConversationId } from '../../src/domain.ts'
import {
  DrainingError,
  IdempotencyMismatchError,
  InvalidInputError,
  NotFoundError,
  NotSupportedError,
  UnavailableError,
} from '../../src/errors.ts'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import {
  message,
  newConversation,
  openEngine,
  type OpenEngineOptions,
  readAll,
} from '../kit/fakes/engine.ts'

const all = { direction: 'forward', limit: 50, after: undefined, before: undefined } as const
const like = { rating: 'LIKE', reasons: [], comment: undefined } as const

async function openTalk(options: OpenEngineOptions = {}) {
  const gateway = await openEngine(options)
  const { replies, strategy, own } = gateway
  async function say(text: string, answer = `${text}!`, conversationId?: ConversationId) {
    const reply = await replies.sendMessage(message(text, { conversationId }))
    const run = await strategy.next()
    run.accept()
    run.complete(answer)
    await readAll(replies, reply.id)
    return { reply, run }
  }
  const texts = async (id: ConversationId) =>
    (await own.messagePage(id, all))?.rows.map(({ text }) => text)
  return { ...gateway, say, texts }
}

describe('a conversation', () => {
  it('is begun with a title or gets that of its first message, and is renamed', async () => {
    await using talk = await openTalk()
    const { conversations, say, own } = talk
    const titled = await conversations.start(newConversation('Taxes'))
    expect(titled).toMatchObject({ title: 'Taxes' })
    await say('hello', 'hi', titled.id)
    const plain = await conversations.start(newConversation())
    expect(plain).toMatchObject({ title: null })
    await say('What is due?', 'much', plain.id)
    const titles = async () => (await own.conversations([titled.id, plain.id])).map((c) => c?.title)
    expect(await titles()).toEqual(['Taxes', 'What is due?'])
    await conversations.rename(titled.id, null)
    await conversations.rename(plain.id, 'Dues')
    expect(await titles()).toEqual(['hello', 'Dues'])
  })

  it.each([' ', 'x'.repeat(101)])('has no title such as %j', async (title) => {
    await using talk = await openTalk()
    await expect(talk.conversations.start(newConversation(title))).rejects.toThrow(
      InvalidInputError,
    )
    const { id } = await talk.conversations.start(newConversation('x'))
    await expect(talk.conversations.rename(id, title)).rejects.toThrow(InvalidInputError)
  })

  it('is refused when the session has as many as it may, until one is deleted', async () => {
    await using talk = await openTalk({ limits: { maxConversationsPerSession: 2 } })
    const [first] = await Promise.all(
      [1, 2].map(() => talk.conversations.start(newConversation('x'))),
    )
    const begin = () => talk.conversations.start(newConversation('x'))
    await expect(begin()).rejects.toThrow(
      new InvalidInputError(
        'The session has 2 conversations, as many as it may: delete one first.',
      ),
    )
    const mallory = await talk.open('mallory')
    await mallory.conversations.start(newConversation('x'))
    if (first) await talk.conversations.delete(first.id)
    await begin()
  })

  it('is begun once for one key and input, and refused with another input', async () => {
    await using talk = await openTalk({ limits: { maxConversationsPerSession: 1 } })
    const { conversations } = talk
    const request = { ...newConversation('Taxes'), idempotency: { key: 'k', input: '{}' } }
    const [first, second] = await Promise.all([1, 2].map(() => conversations.start(request)))
    expect(second).toEqual(first)
    const other = { ...request, idempotency: { key: 'k', input: '{"title":"Dues"}' } }
    await expect(conversations.start(other)).rejects.toThrow(IdempotencyMismatchError)
    const mallory = await talk.open('mallory')
    expect((await mallory.conversations.start(other)).id).not.toBe(first?.id)
  })

  it('is cleared: its messages stay, and the assistant has forgotten them', async () => {
    await using talk = await openTalk()
    const { reply, run } = await talk.say('remember 7')
    const { conversationId } = reply
    await talk.conversations.clear(conversationId)
    expect(await talk.texts(conversationId)).toEqual(['remember 7', 'remember 7!'])
    const next = await talk.say('what?', 'nothing', conversationId)
    expect(next.run.request.upstream).not.toEqual(run.request.upstream)
    expect(JSON.stringify(next.run.request)).not.toContain('remember 7')
  })

  it('is deleted here and upstream, with its open replies cancelled first', async () => {
    await using talk = await openTalk()
    const { replies, strategy, records, conversations, own } = talk
    const { reply, run } = await talk.say('one')
    const { conversationId } = reply
    await replies.sendMessage(message('two', { conversationId }))
    const open = await strategy.next()
    expect(await conversations.delete(conversationId)).toEqual({ deleted: 1, remains: [] })
    expect(open.aborted).toBe(true)
    expect(records.deleted.map((one) => one.conversationId)).toEqual([run.conversationId])
    expect(await own.conversations([conversationId])).toEqual([undefined])
    expect(await own.replies([reply.id])).toEqual([undefined])
    await expect(talk.say('three', 'x', conversationId)).rejects.toThrow(NotFoundError)
  })

  it('F45: that the platform does not delete now is gone here all the same, and its deletion is owed', async () => {
    await using talk = await openTalk()
    const { reply, run } = await talk.say('one')
    const { outbox } = talk.store
    talk.records.kept.add(run.conversationId)
    expect(await talk.conversations.delete(reply.conversationId)).toEqual({
      deleted: 0,
      remains: ['1 conversation could not be deleted on the platform yet: it will be tried again.'],
    })
    expect(await talk.own.conversations([reply.conversationId])).toEqual([undefined])
    const dueAt = (await outbox.nextDue()) ?? 0
    expect(dueAt).toBeGreaterThan(0)
    const [work] = await outbox.take({ now: dueAt, leaseMs: 1, limit: 10 })
    expect(work).toMatchObject({
      type: 'delete-conversation',
      session: { name: 'alice-name-0' },
      upstream: { conversationId: run.conversationId },
      attempts: 1,
    })
  })

  it('F45: that the platform has deleted owes it nothing more', async () => {
    await using talk = await openTalk()
    const { reply } = await talk.say('one')
    await talk.conversations.delete(reply.conversationId)
    expect(await talk.store.outbox.nextDue()).toBeUndefined()
  })

  it('F45: that is cleared is deleted upstream, now or later', async () => {
    await using talk = await openTalk()
    const { reply, run } = await talk.say('one')
    await talk.conversations.clear(reply.conversationId)
    expect(talk.records.deleted.map((one) => one.conversationId)).toEqual([run.conversationId])
    expect(await talk.store.outbox.nextDue()).toBeUndefined()
    const { run: second } = await talk.say('two', 'two!', reply.conversationId)
    talk.records.kept.add(second.conversationId)
    await talk.conversations.clear(reply.conversationId)
    expect(await talk.store.outbox.nextDue()).toBeDefined()
  })

  it('F45: that the platform only hides is not said to be deleted', async () => {
    await using talk = await openTalk()
    const { reply } = await talk.say('one')
    talk.records.hides = true
    expect(await talk.conversations.delete(reply.conversationId)).toEqual({
      deleted: 0,
      remains: ['1 conversation: the platform only hides what is deleted, and keeps its messages.'],
    })
  })

  it("T1: is not another session's to rename, clear, delete or read", async () => {
    await using talk = await openTalk()
    const { reply } = await talk.say('mine')
    const mallory = await talk.open('mallory')
    const { conversationId: id } = reply
    for (const attack of [
      () => mallory.conversations.rename(id, 'x'),
      () => mallory.conversations.clear(id),
      () => mallory.conversations.delete(id),
    ]) {
      await expect(attack()).rejects.toThrow(NotFoundError)
    }
    expect(await talk.texts(id)).toEqual(['mine', 'mine!'])
  })
})

describe('feedback', () => {
  async function openAnswered() {
    const talk = await openTalk()
    const { reply } = await talk.say('one')
    const [done] = await talk.own.replies([reply.id])
    if (!done?.answerId) throw new Error('there is no answer')
    return { ...talk, answerId: done.answerId, messageId: reply.messageId }
  }

  it('is told upstream, then kept', async () => {
    await using talk = await openAnswered()
    const feedback = { rating: 'DISLIKE', reasons: ['wrong'], comment: 'It is two.' } as const
    expect(await talk.conversations.rate(talk.answerId, feedback)).toMatchObject({
      rating: 'DISLIKE',
    })
    expect(talk.records.rated).toMatchObject([{ feedback }])
    expect(await talk.own.messages([talk.answerId])).toMatchObject([{ rating: 'DISLIKE' }])
    await talk.conversations.rate(talk.answerId, { ...like, rating: null })
    expect(await talk.own.messages([talk.answerId])).toMatchObject([{ rating: null }])
  })

  it.each([
    ['too many reasons', { reasons: Array.from({ length: 11 }, () => 'x') }],
    ['an empty reason', { reasons: [''] }],
    ['a long reason', { reasons: ['x'.repeat(31)] }],
    ['a long comment', { comment: 'x'.repeat(251) }],
  ])('is refused for %s', async (_what, change) => {
    await using talk = await openAnswered()
    await expect(talk.conversations.rate(talk.answerId, { ...like, ...change })).rejects.toThrow(
      InvalidInputError,
    )
    expect(talk.records.rated).toEqual([])
  })

  it.each([
    ['a comment', { comment: 'It is two.' }],
    ['reasons', { reasons: ['wrong'] }],
  ])('of %s alone neither takes the rating back nor drops a word', async (_what, words) => {
    await using talk = await openAnswered()
    await talk.conversations.rate(talk.answerId, like)
    const alone = { rating: null, reasons: [], comment: undefined, ...words }
    await expect(talk.conversations.rate(talk.answerId, alone)).rejects.toThrow(InvalidInputError)
    expect(talk.records.rated).toHaveLength(1)
    expect(await talk.own.messages([talk.answerId])).toMatchObject([{ rating: 'LIKE' }])
  })

  it('is for answers of the session only', async () => {
    await using talk = await openAnswered()
    await expect(talk.conversations.rate(talk.messageId, like)).rejects.toThrow(NotFoundError)
    const mallory = await talk.open('mallory')
    await expect(mallory.conversations.rate(talk.answerId, like)).rejects.toThrow(NotFoundError)
  })

  it.each([
    ['UPSTREAM_REFUSED', NotSupportedError],
    ['UPSTREAM_UNAVAILABLE', UnavailableError],
  ] as const)('that the platform does not take (%s) is not kept', async (code, error) => {
    await using talk = await openAnswered()
    const failure = { code, message: 'No.', retryable: false, retryAfterMs: null }
    talk.records.failWith(new RunFailedError(failure, { outcome: 'not-accepted' }))
    await expect(talk.conversations.rate(talk.answerId, like)).rejects.toThrow(error)
    expect(await talk.own.messages([talk.answerId])).toMatchObject([{ rating: null }])
  })
})

describe('a session that is erased', () => {
  it('has nothing left here, and a new name upstream; what remains there is said', async () => {
    await using talk = await openTalk()
    const { conversations, records, lines, own } = talk
    const { reply, run } = await talk.say('secret')
    await conversations.uploadFile(undefined, {
      name: 'a.txt',
      mediaType: 'text/plain',
      content: (async function* () {
        yield Buffer.from('a')
      })(),
    })
    const erased = await conversations.erase()
    expect(erased).toMatchObject({ conversations: 1, messages: 2, attachments: 1, deleted: 1 })
    expect(erased.remains).toEqual([
      "1 uploaded file: the platform has no call to delete them, and keeps them (Coze's cloud for 3 months).",
      expect.stringContaining('long-term memory'),
      expect.stringContaining("platform's own logs"),
    ])
    expect(records.deleted).toMatchObject([
      { conversationId: run.conversationId, session: { name: 'alice-name-0' } },
    ])
    expect(records.cleared).toMatchObject([{ name: 'alice-name-0' }])
    expect(await own.replies([reply.id])).toEqual([undefined])
    expect(await own.conversationPage(all)).toMatchObject({ rows: [] })

    const again = await talk.open('alice')
    expect(again.session.name).toBe('alice-name-1')
    const { id } = await again.replies.sendMessage(message('hello'))
    const next = await talk.strategy.next()
    expect(next.request.session.name).toBe('alice-name-1')
    expect(JSON.stringify(next.request)).not.toContain('secret')
    next.accept()
    next.complete('hi')
    await readAll(again.replies, id)

    const audit = lines.filter(({ fields }) => fields['audit'] === 'session erased')
    expect(audit).toHaveLength(1)
    expect(JSON.stringify(audit)).not.toMatch(/secret|alice-name/)
  })

  it('says what remains of conversations that were deleted before, and empties their variables', async () => {
    await using talk = await openTalk()
    const { conversations, records } = talk
    const { reply } = await talk.say('secret')
    await conversations.delete(reply.conversationId)
    expect(await conversations.erase()).toMatchObject({
      conversations: 0,
      deleted: 0,
      remains: [
        expect.stringContaining('long-term memory'),
        expect.stringContaining("platform's own logs"),
      ],
    })
    expect(records.cleared).toMatchObject([{ name: 'alice-name-0' }])
  })

  it('F45: is told what a platform keeps that only hides, and cannot empty variables', async () => {
    await using talk = await openTalk()
    await talk.say('secret')
    talk.records.hides = true
    const { deleted, remains } = await talk.conversations.erase()
    expect(deleted).toBe(0)
    expect(remains.slice(0, 2)).toEqual([
      '1 conversation: the platform only hides what is deleted, and keeps its messages.',
      'Variables of the session: the platform has no call to empty them.',
    ])
  })

  it('that never spoke leaves nothing', async () => {
    await using talk = await openTalk()
    expect(await talk.conversations.erase()).toMatchObject({ deleted: 0, remains: [] })
    expect(talk.records.cleared).toEqual([])
  })

  it('leaves the others alone', async () => {
    await using talk = await openTalk()
    await talk.say('mine')
    const mallory = await talk.open('mallory')
    expect(await mallory.conversations.erase()).toMatchObject({ conversations: 0, deleted: 0 })
    expect(await talk.own.conversationPage(all)).toMatchObject({ rows: [{}] })
  })
})

describe('the end of the gateway', () => {
  it.each(['upload', 'rating'] as const)(
    'F20: breaks off the %s under way, which may be tried again elsewhere',
    async (what) => {
      await using talk = await openTalk()
      const { conversations, records, engine } = talk
      const { reply } = await talk.say('hello')
      const { conversationId } = reply
      const answerId = (await talk.own.messagePage(conversationId, all))?.rows[1]?.id
      if (answerId === undefined) throw new Error('there is no answer')
      const file = {
        name: 'a.txt',
        mediaType: 'text/plain',
        content: (async function* () {
          yield Buffer.from('a')
        })(),
      }
      const asked = records.hang()
      const work = {
        upload: () => conversations.uploadFile(undefined, file),
        rating: () => conversations.rate(answerId, like),
      }[what]()
      const refused = expect(work).rejects.toThrow(DrainingError)
      await asked
      await engine.drain(AbortSignal.abort())
      await refused
    },
  )
})
