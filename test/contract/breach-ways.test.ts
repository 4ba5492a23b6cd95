import { describe, expect, it } from 'vitest'
import type { AssistantSettings } from '../../src/config/sections/assistant.ts'
import { CozeError } from '../../src/coze/errors.ts'
import type { ReplyEvent, ReplyId, SessionId } from '../../src/domain.ts'
import { type Breach, type BreachWay, breachWays } from '../../src/isolation/breaches.ts'
import { Secret } from '../../src/lib/secret.ts'
import { startAssistantCheck } from '../../src/probe/assistant-check.ts'
import { createForeignEvents } from '../../src/probe/foreign-events.ts'
import type { Assistants } from '../../src/strategy/assistants.ts'
import { type RunFailedError, toRunFailure } from '../../src/strategy/run-failure.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import {
  assistantId,
  callerOf,
  message,
  newDisk,
  openEngine,
  type OpenEngineOptions,
  newConversation,
  readAll,
  readUntil,
} from '../kit/fakes/engine.ts'
import { acceptReply, claimReply } from '../kit/fakes/stored-replies.ts'
import { createScriptedRecords } from '../kit/fakes/records.ts'
import {
  createScriptedStrategy,
  type PlayedRun,
  type ScriptedStrategy,
} from '../kit/fakes/strategy.ts'

/** What happens; what the guard was told of is in `breaches`. */
type Scene = (breaches: Breach[]) => Promise<void>

const named = { type: 'named' } as const

/** An assistant whose conversations are obtained as `open` says. */
function openWith(
  breaches: Breach[],
  kind: 'workflow' | 'bot',
  open?: ScriptedStrategy['open'],
  options: OpenEngineOptions = {},
) {
  const scripted = createScriptedStrategy(kind)
  const strategy: ScriptedStrategy = {
    ...scripted,
    open: open ?? ((run, signal) => scripted.open(run, signal)),
    get choice() {
      return { strategy, reason: 'configured' }
    },
  }
  return openEngine({ strategy, onBreach: (breach) => void breaches.push(breach), ...options })
}

type Talk = Awaited<ReturnType<typeof openEngine>>
type Person = Pick<Talk, 'replies'>

/** A message that is answered in the conversation `conversationId`, by default the one it was sent to. */
async function answered(
  { strategy }: Talk,
  { replies }: Person,
  text: string,
  conversationId?: string,
): Promise<{ readonly end: ReplyEvent | undefined; readonly run: PlayedRun }> {
  const reply = await replies.sendMessage(message(text))
  const run = await strategy.next()
  const ids = { chatId: run.chatId, conversationId: conversationId ?? run.conversationId }
  run.say(
    { type: 'accepted', ...ids },
    { type: 'message', ...ids, messageId: 'm', text: `${text}!` },
    { type: 'completed', ...ids, usage: null },
  )
  return { end: (await readAll(replies, reply.id)).at(-1), run }
}

/** A message whose reply is cancelled, before or after the upstream has begun it. */
async function cancelled({ strategy }: Talk, { replies }: Person, when: 'early' | 'late') {
  const reply = await replies.sendMessage(message('never mind'))
  const run = await strategy.next()
  if (when === 'late') {
    run.accept()
    run.delta('well ')
    await readUntil(replies, reply.id, 'delta')
  }
  await replies.cancelReply(reply.id)
  return run
}

const completed = (text: string, contextReset = false) =>
  expect.objectContaining({ type: 'completed', text: `${text}!`, contextReset })
const failed = (code: string) => expect.objectContaining({ type: 'failed', code })

/** The platform does not know a conversation any more that a run has just revealed. */
function vanished(): RunFailedError {
  const gone = new CozeError('conversation-gone', 'x', { accepted: 'no' })
  return toRunFailure(gone.from({ call: 'list-messages', host: 'coze.test' }), 'wire')
}

/** A message that others wrote before, or that the run itself brought. */
const row = (chatId: string | undefined, isOurs = false) => ({ chatId, createdAt: 1_000, isOurs })

/** A message in a conversation that its run reveals, which then holds these rows beside its own. */
function revealing(kind: 'older' | 'newer' | 'brought' | 'of no chat'): Scene {
  return async (breaches) => {
    await using talk = await openWith(breaches, 'workflow', async () => named)
    const rows = {
      older: row('699'),
      newer: row('701'),
      brought: row('699', true),
      'of no chat': row(undefined),
    }
    talk.strategy.reveals([rows[kind], row('700')])
    const reply = await talk.replies.sendMessage(message('mine'))
    const run = await talk.strategy.next()
    const ids = { chatId: '700', conversationId: 'revealed' }
    run.say(
      { type: 'accepted', ...ids },
      { type: 'message', ...ids, messageId: 'm', text: 'mine!' },
      { type: 'completed', ...ids, usage: null },
    )
    const end = (await readAll(talk.replies, reply.id)).at(-1)
    expect(end).toEqual(kind === 'older' ? failed('ISOLATION_BREACH') : completed('mine'))
  }
}

/** A stream of which one event is another's. */
function straying(
  kind: 'workflow' | 'bot',
  stray: (run: PlayedRun, before: PlayedRun) => { chatId?: string; conversationId?: string },
  end: unknown,
): Scene {
  return async (breaches) => {
    await using talk = await openWith(breaches, kind)
    const { run: before } = await answered(talk, talk, 'first')
    if (kind === 'workflow') await cancelled(talk, talk, 'early')
    const reply = await talk.replies.sendMessage(message('second'))
    const run = await talk.strategy.next()
    run.accept()
    const { chatId, conversationId } = run
    const of = { chatId, conversationId, ...stray(run, before) }
    run.say({ type: 'delta', ...of, messageId: 'm', kind: 'ANSWER', text: 'swordfish' })
    run.complete('second!')
    const events = await readAll(talk.replies, reply.id)
    expect(events.at(-1)).toEqual(end)
    if (of.chatId !== chatId || of.conversationId !== conversationId) {
      expect(JSON.stringify(events)).not.toContain('swordfish')
    }
  }
}

/** The conversations of the messages that a platform lists which a probe has asked for those of one. */
function listing(asked: string, ...listed: readonly string[]): Scene {
  return async (breaches) => {
    const foreignEvents = createForeignEvents(createFakeClock())
    const rows = listed.map((conversationId) => ({ conversationId }))
    foreignEvents.listed(asked, rows)
    for (const evidence of foreignEvents.found) {
      const way = breachWayNames.find((name) => breachWays[name].what === evidence.what)
      if (way === undefined) throw new TypeError('a probe found what is no breach')
      const target = { assistantId, strategy: 'bot' } as const
      breaches.push({ ...evidence, way, target, sessions: [], isNew: true })
    }
  }
}

const breachWayNames = Object.keys(breachWays) as readonly BreachWay[]

/** What the look at the start finds where the platform gives these conversations, one after the other. */
function lookedAt(...given: readonly string[]): Scene {
  return async (breaches) => {
    const strategy = createScriptedStrategy('bot')
    const conversations = given.values()
    const open: ScriptedStrategy['open'] = async () => {
      return { type: 'id', conversationId: conversations.next().value ?? 'more' }
    }
    const choice = { strategy: { ...strategy, open }, reason: 'configured' }
    const assistants: Assistants = {
      strategyOf: () => choice,
      serve: () => choice,
      recordsOf: () => createScriptedRecords(),
      openingOf: async () => ({ greeting: null, suggestions: [] }),
      async [Symbol.asyncDispose]() {},
    }
    const told = Promise.withResolvers<void>()
    await using _checkup = startAssistantCheck({
      settings: [settings],
      assistants,
      newId: randomId,
      clock: createFakeClock(),
      logger: { ...silentLogger, info: () => told.resolve() },
      onBreach: (breach) => void breaches.push(breach),
    })
    await told.promise
  }
}

const settings: AssistantSettings = {
  id: assistantId,
  name: 'Helper',
  baseUrl: 'https://coze.test',
  credentials: {
    type: 'oauth',
    appId: 'app',
    keyId: 'key',
    privateKey: new Secret('key'),
    accessTokenSeconds: 90,
    audience: 'coze.test',
  },
  platform: 'cloud',
  quota: { maxRunning: 10, startsPerSecond: 10 },
  onBreach: 'quarantine',
  imageHosts: [],
  requireProof: false,
  probe: { answers: [] },
  strategy: 'bot',
  bot: {
    botId: 'bot-1',
    customVariables: {},
    messageVariables: [],
    metadata: {},
    messageMetadata: [],
    attachments: false,
    sessionVariable: 'SESSION_NAME',
  },
}

/** What a process leaves that is killed when a run has just told its conversation. */
async function leaveRevealed(disk: ReturnType<typeof newDisk>): Promise<ReplyId> {
  await using store = disk.open()
  const { ledger } = store
  const caller = callerOf('alice')
  const nameOf = (generation: number) => caller.nameOf(generation)
  const { session } = await ledger.openSession('alice' as SessionId, nameOf, 0)
  const { id, conversationId } = await acceptReply(ledger, session, { assistantId })
  const lease = await claimReply(ledger, session, conversationId)
  const { scope, kind: strategy } = createScriptedStrategy('workflow')
  await lease.intend({ binding: undefined, contextReset: false, at: 1 })
  const binding = { scope, strategy, conversationId: 'revealed' }
  await lease.bind(binding, { contextReset: false, at: 2 })
  return id
}

const sharedConversation = async () => ({ type: 'id', conversationId: 'shared' }) as const

const ways: Readonly<
  Record<BreachWay, { readonly real: Scene; readonly harmless: Readonly<Record<string, Scene>> }>
> = {
  'of-another-session': {
    async real(breaches) {
      await using talk = await openWith(breaches, 'workflow', sharedConversation)
      await answered(talk, talk, 'mine')
      const bob = await talk.open('bob')
      const reply = await bob.replies.sendMessage(message('and mine'))
      expect((await readAll(bob.replies, reply.id)).at(-1)).toEqual(failed('ISOLATION_BREACH'))
    },
    harmless: {
      async 'a conversation that is given again to who had it, after a cancel'(breaches) {
        await using talk = await openWith(breaches, 'workflow', sharedConversation)
        await answered(talk, talk, 'one')
        await cancelled(talk, talk, 'late')
        expect((await answered(talk, talk, 'two')).end).toEqual(completed('two', true))
      },
      async 'a conversation that a name leads to again, with the rows of a cancelled run'(
        breaches,
      ) {
        await using talk = await openWith(breaches, 'workflow', async () => named)
        await answered(talk, talk, 'one', '800')
        await cancelled(talk, talk, 'early')
        const at = (chatId: string, createdAt: number) => ({ ...row(chatId), createdAt })
        talk.strategy.reveals([at('chat-2', 1_000), at('chat-3', 2_000)])
        expect((await answered(talk, talk, 'two', '800')).end).toEqual(completed('two', true))
      },
    },
  },
  'of-another-conversation': {
    async real(breaches) {
      await using talk = await openWith(breaches, 'workflow', sharedConversation)
      await answered(talk, talk, 'here')
      const { id } = await talk.conversations.start(newConversation())
      const reply = await talk.replies.sendMessage(message('there', { conversationId: id }))
      expect((await readAll(talk.replies, reply.id)).at(-1)).toEqual(failed('ISOLATION_BREACH'))
    },
    harmless: {
      async 'a second conversation of one session that is given one of its own'(breaches) {
        await using talk = await openWith(breaches, 'workflow')
        await answered(talk, talk, 'here')
        const { id } = await talk.conversations.start(newConversation())
        await talk.replies.sendMessage(message('there', { conversationId: id }))
        const run = await talk.strategy.next()
        run.accept()
        run.complete('there!')
      },
    },
  },
  'used-before': {
    real: revealing('older'),
    harmless: {
      'a seeded history, whose rows have chats of their own': revealing('newer'),
      'a seeded history under older chats': revealing('brought'),
      'a message that no chat made': revealing('of no chat'),
      async 'a restart between the first event of a run and the look at who was there'(breaches) {
        await using stack = new AsyncDisposableStack()
        const disk = newDisk()
        const replyId = await leaveRevealed(disk)
        const store = stack.use(disk.open())
        const onBreach = (breach: Breach) => void breaches.push(breach)
        const talk = stack.use(await openEngine({ store, kind: 'workflow', onBreach }))
        const of = { chatId: '700', conversationId: 'revealed' }
        talk.strategy.recovers(() => ({
          type: 'found',
          events: [
            { type: 'accepted', ...of },
            { type: 'message', ...of, messageId: 'm', text: 'swordfish' },
            { type: 'completed', ...of, usage: null },
          ],
        }))
        await talk.sessions.recover()
        const events = await readAll(talk.replies, replyId)
        expect(events.at(-1)).toEqual(failed('UPSTREAM_OUTCOME_UNKNOWN'))
        expect(JSON.stringify(events)).not.toContain('swordfish')
        const { end, run } = await answered(talk, talk, 'again')
        expect(run.request.upstream).not.toMatchObject({ conversationId: 'revealed' })
        expect(end).toEqual(completed('again', true))
      },
    },
  },
  'not-readable': {
    async real(breaches) {
      await using talk = await openWith(breaches, 'bot')
      talk.strategy.reveals('not-readable')
      const { end } = await answered(talk, talk, 'mine', 'elsewhere')
      expect(end).toEqual(failed('ISOLATION_BREACH'))
    },
    harmless: {
      async 'a conversation that cannot be listed, in place of one that is gone'(breaches) {
        await using talk = await openWith(breaches, 'bot')
        talk.strategy.reveals('not-listed')
        expect((await answered(talk, talk, 'mine', 'fresh')).end).toEqual(completed('mine', true))
      },
      async 'a conversation that vanishes before it is known who else is in it'(breaches) {
        await using talk = await openWith(breaches, 'workflow', async () => named)
        talk.strategy.reveals(vanished())
        const reply = await talk.replies.sendMessage(message('one'))
        const run = await talk.strategy.next()
        const of = { chatId: run.chatId, conversationId: 'revealed' }
        run.say(
          { type: 'accepted', ...of },
          { type: 'delta', ...of, messageId: 'm', kind: 'ANSWER', text: 'swordfish' },
        )
        const events = await readAll(talk.replies, reply.id)
        expect(events.at(-1)).toEqual(failed('UPSTREAM_REFUSED'))
        expect(JSON.stringify(events)).not.toContain('swordfish')
        talk.strategy.reveals([])
        const next = await answered(talk, talk, 'two', 'fresh')
        expect(next.run.request.upstream).toEqual(named)
        expect(next.end).toEqual(completed('two', true))
      },
    },
  },
  'event-of-another-conversation': {
    real: straying('bot', () => ({ conversationId: 'of-nobody' }), failed('ISOLATION_BREACH')),
    harmless: {
      async 'a conversation that vanished, and was replaced by a new one'(breaches) {
        await using talk = await openWith(breaches, 'bot')
        await answered(talk, talk, 'one')
        const { end } = await answered(talk, talk, 'two', 'fresh')
        expect(end).toEqual(completed('two', true))
        // The new one knows nothing of what was said before: the next message brings it to another.
        const { end: next, run } = await answered(talk, talk, 'three')
        expect(run.request.history).toHaveLength(4)
        expect(next).toEqual(completed('three', true))
      },
      'an echo of a conversation that this one had before': straying(
        'workflow',
        (_, { conversationId }) => ({ conversationId }),
        failed('UPSTREAM_PROTOCOL'),
      ),
    },
  },
  'event-of-another-chat': {
    real: straying('bot', () => ({ chatId: 'of-nobody' }), failed('ISOLATION_BREACH')),
    harmless: {
      'an echo of an earlier chat of this conversation': straying(
        'bot',
        (_, { chatId }) => ({ chatId }),
        failed('UPSTREAM_PROTOCOL'),
      ),
      async 'a first event that is sent again, and a message that is repeated'(breaches) {
        await using talk = await openWith(breaches, 'bot')
        const reply = await talk.replies.sendMessage(message('mine'))
        const run = await talk.strategy.next()
        run.accept()
        run.delta('mine')
        run.accept()
        run.message('mine!')
        run.message('mine!')
        run.complete('mine!')
        const end = (await readAll(talk.replies, reply.id)).at(-1)
        expect(end).toEqual(completed('mine'))
      },
    },
  },
  'list-of-another-conversation': {
    real: listing('own', 'own', 'of-nobody'),
    harmless: { 'messages of the conversation that was asked for': listing('own', 'own', 'own') },
  },
  'shared-at-start': {
    real: lookedAt('one', 'one'),
    harmless: {
      'two sessions with a conversation each': lookedAt('one', 'two'),
    },
  },
}

describe.each(Object.entries(ways))('T26: the breach "%s"', (way, { real, harmless }) => {
  it('is told where it happens', async () => {
    const breaches: Breach[] = []
    await real(breaches)
    expect(breaches.map((breach) => breach.way)).toEqual([way])
  })

  it.each(Object.entries(harmless))('is not seen in %s', async (_, scene) => {
    const breaches: Breach[] = []
    await scene(breaches)
    expect(breaches).toEqual([])
  })
})

it('T26: every way to a breach says what was seen', () => {
  for (const { what } of Object.values(breachWays)) expect(what).toMatch(/^[A-Z].*\.$/)
})
