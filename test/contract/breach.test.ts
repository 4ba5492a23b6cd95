import { describe, expect, it } from 'vitest'
import type { Breach } from '../../src/isolation/breaches.ts'
import type { Choice, OutOfService } from '../../src/strategy/select.ts'
import type { UpstreamConversation } from '../../src/strategy/strategy.ts'
import { createScriptedStrategy } from '../kit/fakes/strategy.ts'
import {
  assistantId,
  message,
  openEngine,
  type OpenEngineOptions,
  newConversation,
  readAll,
  readUntil,
  typesOf,
} from '../kit/fakes/engine.ts'

const outOfService: OutOfService = { strategy: undefined, reason: 'It is out of service.' }

/** An assistant all of whose conversations are one upstream, until its sessions are served otherwise. */
async function openLeaking(
  afterwards: (bot: Choice, workflow: Choice) => Choice | OutOfService,
  { upstream, ...options }: OpenEngineOptions & { readonly upstream?: UpstreamConversation } = {},
) {
  const scripted = createScriptedStrategy('workflow')
  const shared = { type: 'id', conversationId: 'shared', logId: 'log-open' } as const
  const strategy = { ...scripted, open: async () => upstream ?? shared }
  const workflow = { strategy, reason: 'configured' }
  const bot = createScriptedStrategy('bot')
  const breaches: Breach[] = []
  const opened = await openEngine({
    strategy: bot,
    strategyOf: (_, begunBy) => (begunBy === 'bot' ? bot.choice : workflow),
    serve: () => (breaches.length > 0 ? afterwards(bot.choice, workflow) : workflow),
    isRestricted: () => breaches.length > 0,
    onBreach: (breach) => void breaches.push(breach),
    ...options,
  })
  return { ...opened, workflow: scripted, bot, breaches }
}

/** A delta that may be shown to nobody. */
const said = ({ chatId, conversationId }: { chatId: string; conversationId: string }) => ({
  type: 'delta' as const,
  chatId,
  conversationId,
  messageId: 'm',
  kind: 'ANSWER' as const,
  text: 'swordfish',
})

describe('a breach', () => {
  it('T13: ends what runs in the shared conversation before its next delta, on both sides, and tells of it', async () => {
    const { replies, open, workflow, breaches, session, engine } = await openLeaking(
      () => outOfService,
    )
    const first = await replies.sendMessage(message('mine'))
    const run = await workflow.next()
    run.accept()
    run.delta('for Alice ')
    await readUntil(replies, first.id, 'delta')
    const bob = await open('bob')
    const second = await bob.replies.sendMessage(message('and mine'))
    const [alices, bobs] = [await readAll(replies, first.id), await readAll(bob.replies, second.id)]
    run.delta('never shown')
    expect(typesOf(alices)).toEqual(['started', 'delta', 'failed'])
    expect(alices.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(typesOf(bobs)).toEqual(['failed'])
    expect(bobs.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(workflow.started).toBe(1)
    expect(breaches).toEqual([
      {
        target: { assistantId: 'helper', strategy: 'workflow' },
        isNew: true,
        at: expect.any(Number),
        way: 'of-another-session',
        logIds: ['log-open'],
        sessions: [session.id, bob.session.id],
      },
    ])
    await engine[Symbol.asyncDispose]()
  })

  it('T13: shows nothing that is said after the other came', async () => {
    const { replies, open, workflow, engine } = await openLeaking(() => outOfService)
    const first = await replies.sendMessage(message('mine'))
    const run = await workflow.next()
    run.accept()
    const bob = await open('bob')
    const second = await bob.replies.sendMessage(message('and mine'))
    await readAll(bob.replies, second.id)
    run.delta('too late')
    const events = await readAll(replies, first.id)
    expect(typesOf(events)).toEqual(['started', 'failed'])
    await engine[Symbol.asyncDispose]()
  })

  it('T13: tells two conversations of one session apart as well', async () => {
    const { replies, conversations, workflow, breaches, engine } = await openLeaking(
      () => outOfService,
    )
    await replies.sendMessage(message('here'))
    await workflow.next()
    const other = await conversations.start(newConversation())
    const reply = await replies.sendMessage(message('there', { conversationId: other.id }))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(breaches[0]).toMatchObject({
      way: 'of-another-conversation',
    })
    expect(breaches[0]?.sessions).toHaveLength(1)
    await engine[Symbol.asyncDispose]()
  })

  it('fails what waits while the assistant is out of service, and refuses what comes', async () => {
    const { replies, open, workflow, engine } = await openLeaking(() => outOfService)
    const running = await replies.sendMessage(message('mine'))
    await workflow.next()
    const waiting = await replies.sendMessage(message('and then'))
    const bob = await open('bob')
    await bob.replies.sendMessage(message('mine'))
    expect((await readAll(replies, running.id)).at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect((await readAll(replies, waiting.id)).at(-1)).toMatchObject({
      code: 'ISOLATION_BREACH',
      message: expect.stringContaining('was not sent'),
    })
    await expect(replies.sendMessage(message('again'))).rejects.toMatchObject({
      code: 'ASSISTANT_UNAVAILABLE',
      message: 'It is out of service.',
      retryAfterMs: null,
    })
    expect(workflow.started).toBe(1)
    await engine[Symbol.asyncDispose]()
  })

  it('goes on with the fallback in a new conversation, and says that it did', async () => {
    const { replies, open, workflow, bot, engine } = await openLeaking((other) => other)
    const first = await replies.sendMessage(message('mine'))
    await workflow.next()
    const bob = await open('bob')
    const second = await bob.replies.sendMessage(message('and mine'))
    await Promise.all([readAll(replies, first.id), readAll(bob.replies, second.id)])
    const again = await replies.sendMessage(message('again'))
    const run = await bot.next()
    expect(run.request).toMatchObject({ text: 'again', history: [{ text: 'mine' }] })
    run.accept()
    run.complete('hello from the Bot')
    expect((await readAll(replies, again.id)).at(-1)).toMatchObject({
      type: 'completed',
      text: 'hello from the Bot',
      contextReset: true,
    })
    await engine[Symbol.asyncDispose]()
  })

  it('serves by the fallback who meets the shared conversation later, with nothing sent twice', async () => {
    const { open, workflow, bot, breaches, engine, replies } = await openLeaking((other, before) =>
      // As if it had been chosen before the breach was known.
      breaches.length > 1 ? other : before,
    )
    await replies.sendMessage(message('mine'))
    await workflow.next()
    const bob = await open('bob')
    await readAll(bob.replies, (await bob.replies.sendMessage(message('hello'))).id)
    const cem = await open('cem')
    const reply = await cem.replies.sendMessage(message('hello'))
    const run = await bot.next()
    run.accept()
    run.complete('hello')
    expect((await readAll(cem.replies, reply.id)).at(-1)).toMatchObject({
      type: 'completed',
      contextReset: false,
    })
    expect(breaches.map(({ isNew }) => isNew)).toEqual([true, false])
    expect([workflow.started, bot.started]).toEqual([1, 1])
    await engine[Symbol.asyncDispose]()
  })

  it.each([
    ['another conversation', { conversationId: 'of-nobody' }, 'event-of-another-conversation'],
    ['another chat', { chatId: 'another' }, 'event-of-another-chat'],
  ])('F16: is what an event of %s is', async (_, whose, way) => {
    const breaches: Breach[] = []
    await using gateway = await openEngine({ onBreach: (breach) => void breaches.push(breach) })
    const { replies, strategy, session } = gateway
    const reply = await replies.sendMessage(message('mine'))
    const run = await strategy.next()
    run.accept({ logId: 'log-1' })
    run.say({ ...said(run), ...whose })
    const events = await readAll(replies, reply.id)
    expect(typesOf(events)).toEqual(['started', 'failed'])
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(breaches).toEqual([
      {
        target: { assistantId, strategy: 'bot' },
        isNew: true,
        at: expect.any(Number),
        way,
        logIds: ['log-1'],
        sessions: [session.id],
      },
    ])
  })

  it("T13 F16: ends what runs in another's conversation when an event of it strays into a reply", async () => {
    const breaches: Breach[] = []
    await using gateway = await openEngine({ onBreach: (breach) => void breaches.push(breach) })
    const { replies, strategy, session, open } = gateway
    const bob = await open('bob')
    const bobs = await bob.replies.sendMessage(message('of Bob'))
    const bobsRun = await strategy.next()
    bobsRun.accept()
    bobsRun.delta('for Bob ')
    await readUntil(bob.replies, bobs.id, 'delta')
    const alices = await replies.sendMessage(message('of Alice'))
    const run = await strategy.next()
    run.accept()
    run.say({ ...said(run), conversationId: bobsRun.conversationId })
    expect(typesOf(await readAll(replies, alices.id))).toEqual(['started', 'failed'])
    bobsRun.delta('never shown')
    const events = await readAll(bob.replies, bobs.id)
    expect(typesOf(events)).toEqual(['started', 'delta', 'failed'])
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(breaches.map(({ sessions }) => sessions)).toEqual([[bob.session.id, session.id]])
    // Neither uses it again.
    await bob.replies.sendMessage(message('again'))
    const { upstream } = (await strategy.next()).request
    expect(upstream).not.toEqual(bobsRun.request.upstream)
  })

  it('T13: shows nothing of a run that turns out to be in a shared conversation', async () => {
    const { replies, open, workflow, breaches, engine } = await openLeaking(
      (_, workflowAgain) => workflowAgain,
      { upstream: { type: 'named' } },
    )
    await replies.sendMessage(message('mine'))
    const mine = await workflow.next()
    mine.accept({ logId: 'log-1' })
    const bob = await open('bob')
    const reply = await bob.replies.sendMessage(message('and mine'))
    const run = await workflow.next()
    run.accept({ logId: 'log-2' })
    run.delta('what Alice said')
    const events = await readAll(bob.replies, reply.id)
    expect(typesOf(events)).toEqual(['started', 'failed'])
    expect(events.at(-1)).toMatchObject({ code: 'ISOLATION_BREACH' })
    expect(breaches[0]?.logIds).toEqual(['log-2'])
    await engine[Symbol.asyncDispose]()
  })
})
