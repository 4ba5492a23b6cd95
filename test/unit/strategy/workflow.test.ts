import { describe, expect, it } from 'vitest'
import type { CozeClient } from '../../../src/coze/client.ts'
import { CozeError } from '../../../src/coze/errors.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import type { WorkflowSettings } from '../../../src/config/sections/target.ts'
import type { Platform } from '../../../src/domain.ts'
import { onAbort } from '../../../src/lib/on-abort.ts'
import { createRunKeys } from '../../../src/strategy/keys.ts'
import type { ChatStrategy, RunContext } from '../../../src/strategy/strategy.ts'
import { createWorkflowStrategy } from '../../../src/strategy/workflow.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { plain } from '../../kit/fakes/plain.ts'
import { strategyOptions, workflowSettings } from '../../kit/fakes/strategy-options.ts'
import { answerOf, collect, createHistory, createRun, untaken } from '../../kit/fakes/runs.ts'
import { createScriptedCoze, nameTokens } from '../../kit/fakes/coze.ts'

const { signal } = new AbortController()
const ids = { chatId: 'chat-1', conversationId: 'up-1' }
const told: readonly CozeEvent[] = [
  { type: 'created', ...ids },
  { type: 'in-progress', ...ids },
  { type: 'delta', ...ids, messageId: 'm1', kind: 'ANSWER', contentType: 'text', text: 'Hel' },
  { type: 'delta', ...ids, messageId: 'm1', kind: 'ANSWER', contentType: 'text', text: 'lo' },
  { type: 'answer', ...ids, messageId: 'm1', contentType: 'text', text: 'Hello' },
  { type: 'completed', ...ids, usage: null },
  { type: 'done' },
]
const alice = createRun('alice')

function open(
  script: Parameters<typeof createScriptedCoze>[0],
  workflow: Partial<WorkflowSettings> = { appId: 'app-1' },
  platform: Platform = 'cloud',
  over: Partial<CozeClient> = {},
) {
  const client = { ...createScriptedCoze(script), ...over }
  const clock = createFakeClock()
  const strategy = createWorkflowStrategy({
    client,
    clock,
    tokens: nameTokens,
    random: () => 0.5,
    scope: { origin: 'http://coze.test', account: '' },
    recoverMs: 30_000,
    ...strategyOptions(platform),
    workflow: workflowSettings(workflow),
  })
  return { client, clock, strategy }
}

const refusal = new CozeError('refused', 'code 4000', { accepted: 'no', upstreamCode: '4000' })

describe('workflow strategy', () => {
  it("opens an app's conversation under an unguessable name, before any text", async () => {
    const { client, strategy } = open({ request: () => ({ data: { id: 'up-1' } }) })
    expect(await strategy.open(alice, signal)).toEqual({
      type: 'id',
      conversationId: 'up-1',
      logId: 'log-1',
      isNew: true,
    })
    expect(client.sent).toMatchObject([
      {
        path: '/v1/conversation/create',
        session: 'alice',
        body: {
          app_id: 'app-1',
          workflow_id: 'flow-1',
          conversation_name: createRunKeys(alice).conversationName,
          get_or_create: true,
        },
      },
    ])
  })

  it("opens a Bot's conversation by plain create", async () => {
    const { client, strategy } = open(
      { request: () => ({ data: { id: 'up-1' } }) },
      { botId: 'bot-1', connectorId: '999' },
    )
    await strategy.open(alice, signal)
    expect(client.sent[0]?.body).toEqual({ bot_id: 'bot-1', connector_id: '999' })
  })

  it('auto: goes on by name once the platform has refused to create', async () => {
    const { client, strategy } = open({
      request: () => {
        throw refusal
      },
    })
    expect(await strategy.open(alice, signal)).toEqual({ type: 'named' })
    expect(await strategy.open(createRun('bob'), signal)).toEqual({ type: 'named' })
    expect(client.sent).toHaveLength(1)
  })

  it('auto: goes on by name for all whom it has refused meanwhile', async () => {
    const { client, strategy } = open({
      request: () => {
        throw refusal
      },
    })
    const runs = [alice, createRun('bob'), createRun('cem')]
    const opened = await Promise.all(runs.map((run) => strategy.open(run, signal)))
    expect(opened).toEqual(runs.map(() => ({ type: 'named' })))
    expect(client.sent).toHaveLength(3)
  })

  it.each([
    ['create keying', { appId: 'app-1', conversationKeying: 'create' }, refusal],
    ['a Bot, which has no names', { botId: 'bot-1' }, refusal],
    [
      'another failure',
      { appId: 'app-1' },
      new CozeError('server', 'HTTP 500', { accepted: 'unknown' }),
    ],
  ] as const)('does not fall back to names for %s', async (_, workflow, error) => {
    const { strategy } = open(
      {
        request: () => {
          throw error
        },
      },
      workflow,
    )
    await expect(strategy.open(alice, signal)).rejects.toMatchObject({ name: 'RunFailedError' })
  })

  it('T13: keys every layer of a run, and lets nothing configured override it', async () => {
    const { client, strategy } = open(
      { stream: () => [told] },
      {
        appId: 'app-1',
        parameters: { LANGUAGE: 'en' },
        sessionParameter: 'WHO',
        connectorId: '999',
      },
    )
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    await collect((take) =>
      strategy.start({ ...alice, upstream, text: 'Hi', history: [], ...plain }, take, signal),
    )
    expect(client.sent).toEqual([
      {
        path: '/v1/workflows/chat',
        session: 'alice',
        query: {},
        body: {
          workflow_id: 'flow-1',
          app_id: 'app-1',
          conversation_id: 'up-1',
          additional_messages: [
            {
              role: 'user',
              type: 'question',
              content: 'Hi',
              content_type: 'text',
              meta_data: { reply_id: 'alice-reply-1' },
            },
          ],
          parameters: { LANGUAGE: 'en', WHO: 'alice' },
          ext: { user_id: 'alice' },
          session_name: 'alice',
          connector_id: '999',
        },
      },
    ])
  })

  it('names an unguessable conversation where none is bound yet', async () => {
    const { client, strategy } = open({ stream: () => [told] })
    const named = { type: 'named' } as const
    await collect((take) =>
      strategy.start(
        { ...alice, upstream: named, text: 'Hi', history: [], ...plain },
        take,
        signal,
      ),
    )
    expect(client.sent[0]?.body).toMatchObject({
      parameters: {
        SESSION_NAME: 'alice',
        CONVERSATION_NAME: createRunKeys(alice).runName,
      },
    })
    expect(client.sent[0]?.body).not.toHaveProperty('conversation_id')
  })

  it('sends the last messages that fit before the own one', async () => {
    const { client, strategy } = open({ stream: () => [told] })
    const texts = Array.from({ length: 70 }, (_, index) => (index === 68 ? '' : `text ${index}`))
    const history = createHistory(alice, texts)
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    await collect((take) =>
      strategy.start({ ...alice, upstream, text: 'Hi', history, ...plain }, take, signal),
    )
    const body = client.sent[0]?.body as {
      additional_messages: { role: string; content: string }[]
    }
    const messages = body.additional_messages
    expect(messages).toHaveLength(50)
    expect(messages[0]?.content).toBe('text 20')
    expect(messages.slice(-2)).toMatchObject([
      { role: 'assistant', content: 'text 69', meta_data: { history_of: 'alice-reply-1' } },
      { role: 'user', content: 'Hi' },
    ])
  })

  it("tells a run's events, accepted first and once", async () => {
    const { strategy } = open({ stream: () => [told.slice(0, 3), told.slice(3)] })
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    const { events, error } = await collect((take) =>
      strategy.start({ ...alice, upstream, text: 'Hi', history: [], ...plain }, take, signal),
    )
    expect(error).toBeUndefined()
    expect(events.map(({ type }) => type)).toEqual([
      'accepted',
      'delta',
      'delta',
      'message',
      'completed',
    ])
    expect(answerOf(events)).toBe('Hello')
    for (const event of events) expect(event).toMatchObject(ids)
  })

  it('shows no content but text, and still tells whose it was', async () => {
    const card = { contentType: 'card', text: '{"card_type":3}', messageId: 'm1' }
    const foreign = { ...ids, conversationId: 'up-2' }
    const { strategy } = open({
      stream: () => [
        [
          { type: 'created', ...ids },
          { type: 'answer', ...ids, ...card },
          { type: 'answer', ...foreign, ...card },
        ],
      ],
    })
    const named = { type: 'named' } as const
    const { events } = await collect((take) =>
      strategy.start(
        { ...alice, upstream: named, text: 'Hi', history: [], ...plain },
        take,
        signal,
      ),
    )
    expect(events).toEqual([
      { type: 'accepted', ...ids, logId: 'log-1', retries: 0 },
      { type: 'omitted', ...ids, content: 'CARD' },
      { type: 'accepted', ...foreign },
    ])
  })

  it('F10: has the deadlines that it was made with', async () => {
    const { client, strategy } = open({ stream: () => [told] })
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    const message = { ...alice, upstream, text: 'Hi', history: [], ...plain }
    await collect((take) => strategy.start(message, take, signal))
    expect(client.timeouts).toEqual([strategyOptions().timeouts])
  })

  it('F18: gives what came before a failed chat, then its failure', async () => {
    const error = new CozeError('model-failed', 'code 4013', {
      accepted: 'yes',
      upstreamCode: '4013',
    })
    const { strategy } = open({
      stream: () => [[...told.slice(0, 3), { type: 'failed', ...ids, error }]],
    })
    const named = { type: 'named' } as const
    const run = await collect((take) =>
      strategy.start(
        { ...alice, upstream: named, text: 'Hi', history: [], ...plain },
        take,
        signal,
      ),
    )
    expect(answerOf(run.events)).toBe('Hel')
    expect(run.error).toMatchObject({
      outcome: 'ended',
      upstreamCode: '4013',
      failure: { code: 'UPSTREAM_ERROR' },
    })
  })

  it("sends a message's parameters over configured ones, its files and its metadata", async () => {
    const { client, strategy } = open(
      { stream: () => [told] },
      {
        appId: 'app-1',
        parameters: { LANGUAGE: 'en', TONE: 'dry' },
        metadata: { team: 'blue', shift: 'day' },
        attachmentParameter: 'FILES',
      },
    )
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    const attachments = ['f1', 'f2'].map((upstreamId) => {
      return { upstreamId, name: 'a.png', mediaType: 'image/png' }
    })
    const extras = {
      parameters: { LANGUAGE: 'de', COUNT: 3 },
      metadata: { shift: 'night' },
    }
    const imageUrls = ['https://images.example.com/a.png']
    const about = { ...alice, upstream, text: 'Hi', history: [] }
    const request = { ...about, attachments, imageUrls, extras }
    await collect((take) => strategy.start(request, take, signal))
    expect(client.sent[0]?.body).toMatchObject({
      parameters: {
        LANGUAGE: 'de',
        TONE: 'dry',
        COUNT: 3,
        FILES: ['{"file_id":"f1"}', '{"file_id":"f2"}', 'https://images.example.com/a.png'],
        SESSION_NAME: 'alice',
      },
      additional_messages: [
        {
          content: 'Hi',
          content_type: 'text',
          meta_data: { team: 'blue', shift: 'night', reply_id: 'alice-reply-1' },
        },
      ],
    })
    await collect((take) => strategy.start({ ...request, ...plain }, take, signal))
    expect(client.sent[1]?.body).not.toHaveProperty('parameters.FILES')
  })

  it.each([
    ['the parameter of the session', { parameters: { WHO: 'bob' } }],
    ['the name of the conversation', { parameters: { CONVERSATION_NAME: 'Default' } }],
    ['the message', { parameters: { USER_INPUT: 'x' } }],
    ['the files', { parameters: { FILES: [] } }],
    ["our reply's id", { metadata: { reply_id: 'bob-reply-1' } }],
    ['the mark of the history', { metadata: { history_of: 'x' } }],
  ])('lets no message set %s', async (_, given) => {
    const workflow = { appId: 'app-1', sessionParameter: 'WHO', attachmentParameter: 'FILES' }
    const { client, strategy } = open({ stream: () => [told] }, workflow)
    const extras = { ...plain.extras, ...given }
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    const request = { ...alice, upstream, text: 'Hi', history: [], ...plain, extras }
    await expect(strategy.start(request, untaken, signal)).rejects.toThrow(TypeError)
    expect(client.sent).toHaveLength(0)
  })

  it('takes no files where nothing receives them', async () => {
    const { strategy } = open({ stream: () => [told] })
    const attachments = [{ upstreamId: 'f1', name: 'a', mediaType: 'text/plain' }]
    const upstream = { type: 'id', conversationId: 'up-1' } as const
    const request = { ...alice, upstream, text: 'Hi', history: [], ...plain }
    for (const files of [{ attachments }, { imageUrls: ['https://images.example.com/a.png'] }]) {
      const started = strategy.start({ ...request, ...files }, untaken, signal)
      await expect(started).rejects.toThrow('"attachmentParameter"')
    }
  })

  it('says what keys each layer, as conversations are obtained by now', async () => {
    const { strategy } = open(
      {
        request: () => {
          throw refusal
        },
      },
      { appId: 'app-1', sessionParameter: 'WHO' },
    )
    const keyedBy = (layer: string) =>
      strategy.layers.find((each) => each.layer === layer)?.keyedBy ?? ''
    expect(strategy.layers.map(({ layer }) => layer)).toEqual([
      'identity',
      'conversation',
      'variables',
      'knowledge',
    ])
    expect(keyedBy('identity')).toContain('minted for the name of the session')
    expect(keyedBy('conversation')).toContain('conversation_id')
    expect(keyedBy('variables')).toContain('ext.user_id')
    expect(keyedBy('knowledge')).toContain('parameters.WHO')
    await strategy.open(alice, signal)
    expect(keyedBy('conversation')).toContain('CONVERSATION_NAME')
  })

  it('asks by its end, and takes no tool outputs', async () => {
    const { client, strategy } = open({})
    expect(strategy.answersByMessage).toBe(true)
    const run = { ...alice, upstreamConversationId: 'up-1', chatId: 'chat-1', outputs: [] }
    await expect(strategy.submitToolOutputs(run, untaken, signal)).rejects.toThrow(
      expect.objectContaining({
        outcome: 'not-accepted',
        failure: expect.objectContaining({ code: 'ACTION_UNSUPPORTED', retryable: false }),
      }),
    )
    expect(client.sent).toHaveLength(0)
  })

  it('cannot tell the upstream to cancel', async () => {
    const { client, strategy } = open({})
    const run = { ...alice, upstreamConversationId: 'up-1', chatId: 'chat-1' }
    expect(await strategy.cancel(run, signal)).toBe('refused')
    expect(client.sent).toHaveLength(0)
  })

  it('refuses to be made where a layer would not be keyed', () => {
    expect(() => open({}, { appId: 'a', parameters: { CONVERSATION_NAME: 'Default' } })).toThrow(
      'all sessions into one conversation',
    )
    expect(() => open({}, {})).toThrow('exactly one of "appId" and "botId"')
    expect(() => open({}, { appId: 'a', messageParameters: ['SESSION_NAME'] })).toThrow(
      '"messageParameters.0" is set by the gateway',
    )
    expect(() => open({}, { appId: 'a', attachmentParameter: 'SESSION_NAME' })).toThrow(
      '"attachmentParameter" is a parameter',
    )
  })
})

const gone = new CozeError('conversation-gone', 'code 777777775', {
  accepted: 'no',
  upstreamCode: '777777775',
})

describe('how an app obtains its conversations', () => {
  const say = async (strategy: ChatStrategy, run: RunContext) => {
    const upstream = await strategy.open(run, signal)
    const request = { ...run, upstream, text: 'Hi', history: [], ...plain }
    return { upstream, ...(await collect((take) => strategy.start(request, take, signal))) }
  }

  it('by name at once on a Studio, whose call makes none of an app', async () => {
    const { client, strategy } = open({}, { appId: 'app-1' }, 'studio')
    expect(await strategy.open(alice, signal)).toEqual({ type: 'named' })
    expect(strategy.opensByName).toBe(true)
    expect(client.sent).toEqual([])
  })

  it.each([
    ['a Bot of a Studio', { botId: 'bot-1' }],
    ['keying by create', { appId: 'app-1', conversationKeying: 'create' }],
  ] as const)('by the call for %s', async (_, workflow) => {
    const { strategy } = open({ request: () => ({ data: { id: 'up-1' } }) }, workflow, 'studio')
    expect(await strategy.open(alice, signal)).toMatchObject({ conversationId: 'up-1' })
  })

  it('by name once a run has not found what was created for it', async () => {
    const { strategy } = open({
      request: (_, nth) => ({ data: { id: `up-${nth}` } }),
      stream: (_, nth) => (nth === 1 ? [gone] : [told]),
    })
    const first = await say(strategy, alice)
    expect(first.error).toMatchObject({ conversationGone: true, outcome: 'not-accepted' })
    expect(strategy.opensByName).toBe(true)
    expect(await say(strategy, alice)).toMatchObject({
      upstream: { type: 'named' },
      error: undefined,
    })
  })

  it.each([
    ['a conversation that was there before', false, gone],
    ['a refusal of another kind', true, refusal],
    [
      'a run that may have begun',
      true,
      new CozeError('conversation-gone', 'code 4002', { accepted: 'unknown' }),
    ],
  ])('by the call still, after %s', async (_, isNew, error) => {
    const { strategy } = open({ stream: () => [error] })
    const upstream = { type: 'id', conversationId: 'up-1', isNew } as const
    await collect((take) =>
      strategy.start({ ...alice, upstream, text: 'Hi', history: [], ...plain }, take, signal),
    )
    expect(strategy.opensByName).toBe(false)
  })

  it('is found out without a message: what a name does not lead to again is not of the app', async () => {
    const { client, strategy } = open({ request: (_, nth) => ({ data: { id: `up-${nth}` } }) })
    const made: string[] = []
    const canCreate = await strategy.settleKeying?.(alice, (id) => made.push(id), signal)
    expect({ canCreate, made }).toEqual({ canCreate: false, made: ['up-1', 'up-2'] })
    expect(strategy.opensByName).toBe(true)
    expect(strategy.settleKeying).toBeUndefined()
    const names = client.sent.map(({ body }) => body)
    expect(names[0]).toEqual(names[1])
  })

  it('is found out without a message: what a name leads to again is', async () => {
    const { strategy } = open({ request: () => ({ data: { id: 'up-1' } }) })
    const made = new Set<string>()
    const canCreate = await strategy.settleKeying?.(alice, (id) => made.add(id), signal)
    expect({ canCreate, made: [...made] }).toEqual({ canCreate: true, made: ['up-1'] })
    expect(strategy.opensByName).toBe(false)
  })

  it('has a name of its own for each message, so that none leads to where a lost run was', () => {
    const names = ['reply-1', 'reply-2'].map((reply) => createRunKeys(createRun('a', reply)))
    expect(new Set(names.map(({ runName }) => runName)).size).toBe(2)
    expect(new Set(names.map(({ conversationName }) => conversationName)).size).toBe(1)
  })
})

describe('what a conversation holds that a run has just revealed', () => {
  const row = (id: string, chatId: string, text = 'Hi', metaData = {}) => ({
    id,
    conversation_id: 'up-1',
    chat_id: chatId,
    role: 'user',
    type: 'question',
    content: text,
    meta_data: metaData,
    created_at: 5,
  })
  const run = { ...alice, upstreamConversationId: 'up-1', chatId: '9' }

  it('tells what the run itself brought, by its words or by our mark', async () => {
    const data = [
      row('m4', '9'),
      row('m3', '8', 'what was said'),
      row('m2', '7', 'x', { history_of: 'alice-reply-1' }),
      row('m1', '6', 'x', { history_of: 'bob-reply-1' }),
      row('m0', '0'),
    ]
    const { strategy } = open({ request: () => ({ data }) })
    const history = createHistory(alice, ['what was said'])
    expect(await strategy.listRevealed({ ...run, history }, signal)).toEqual([
      { chatId: '9', createdAt: 5000, isOurs: false },
      { chatId: '8', createdAt: 5000, isOurs: true },
      { chatId: '7', createdAt: 5000, isOurs: true },
      { chatId: '6', createdAt: 5000, isOurs: false },
      { chatId: undefined, createdAt: 5000, isOurs: false },
    ])
  })

  it.each([
    ['cloud', 'before_id'],
    ['studio', 'after_id'],
  ] as const)('is read page by page, towards the older ones, on %s', async (platform, older) => {
    const page = (nth: number) =>
      Array.from({ length: nth < 3 ? 50 : 1 }, (_, at) => row(`${nth}-${at}`, '9'))
    const workflow = { appId: 'app-1' }
    const { client, strategy } = open(
      { request: (_, nth) => ({ data: page(nth) }) },
      workflow,
      platform,
    )
    expect(await strategy.listRevealed({ ...run, history: [] }, signal)).toHaveLength(101)
    expect(client.sent.map(({ body }) => body)).toMatchObject([
      { limit: 50 },
      { [older]: '1-49' },
      { [older]: '2-49' },
    ])
  })

  it.each([
    ['repeats itself', 2, () => 1],
    ['never ends', 4, (nth: number) => nth],
  ])('is not read for ever where the list %s', async (_, calls, numberOf) => {
    const page = (nth: number) => Array.from({ length: 50 }, (_row, at) => row(`${nth}-${at}`, '9'))
    const { client, strategy } = open({ request: (_sent, nth) => ({ data: page(numberOf(nth)) }) })
    await strategy.listRevealed({ ...run, history: [] }, signal)
    expect(client.sent).toHaveLength(calls)
  })

  it.each([
    ['refuses to list it', refusal],
    ['does not know it', gone],
  ])('is nothing where the platform %s', async (_, error) => {
    const { strategy } = open({
      request: () => {
        throw error
      },
    })
    expect(await strategy.listRevealed({ ...run, history: [] }, signal)).toBe('not-listed')
  })

  const vanished = { conversationGone: true, outcome: 'unseen' }

  it('fails the run if it vanishes from a Studio, which lists what it has', async () => {
    const { strategy } = open(
      {
        request: () => {
          throw gone
        },
      },
      { appId: 'app-1' },
      'studio',
    )
    const listing = strategy.listRevealed({ ...run, history: [] }, signal)
    await expect(listing).rejects.toMatchObject(vanished)
  })

  it('fails the run if it vanishes from a cloud that has listed others', async () => {
    const { strategy } = open({
      request: (_, nth) => {
        if (nth > 2) throw gone
        return { data: nth === 1 ? [] : [row('m1', '9')] }
      },
    })
    const list = async () => strategy.listRevealed({ ...run, history: [] }, signal)
    expect(await list()).toEqual([])
    expect(await list()).toHaveLength(1)
    await expect(list()).rejects.toMatchObject(vanished)
  })

  it('is not known where the platform is silent', async () => {
    const { clock, strategy } = open({ request: () => ({}) }, { appId: 'app-1' }, 'cloud', {
      request: (_, lifetime) =>
        new Promise((_resolve, reject) => onAbort(lifetime, () => reject(lifetime.reason))),
    })
    const listing = expect(
      strategy.listRevealed({ ...run, history: [] }, signal),
    ).rejects.toMatchObject({ failure: { code: 'UPSTREAM_TIMEOUT' } })
    await clock.pass(10_000)
    await listing
    expect(clock.pending).toBe(0)
  })
})

describe('older messages that a Workflow of a Studio is told', () => {
  it("are one message of the user, since there every row is a user's and their order is lost", async () => {
    const { client, strategy } = open({ stream: () => [told] }, { appId: 'app-1' }, 'studio')
    const history = createHistory(alice, ['my name is Ann', 'Hello Ann', '', 'I like tea'])
    const named = { type: 'named' } as const
    await collect((take) =>
      strategy.start({ ...alice, upstream: named, text: 'Hi', history, ...plain }, take, signal),
    )
    const seed = [
      'What was said in this conversation so far:',
      'I said: my name is Ann',
      'You said: Hello Ann',
      'You said: I like tea',
    ]
    expect(client.sent[0]?.body).toMatchObject({
      additional_messages: [
        { role: 'user', type: 'question', content: seed.join('\n\n') },
        { role: 'user', content: 'Hi' },
      ],
    })
  })

  it('are none where nothing was said', async () => {
    const { client, strategy } = open({ stream: () => [told] }, { appId: 'app-1' }, 'studio')
    const request = {
      ...alice,
      upstream: { type: 'named' },
      text: 'Hi',
      history: [],
      ...plain,
    } as const
    await collect((take) => strategy.start(request, take, signal))
    expect(client.sent[0]?.body).toMatchObject({ additional_messages: [{ content: 'Hi' }] })
  })
})

describe('a lost Workflow run', () => {
  const question = {
    id: 'q1',
    conversation_id: 'up-1',
    chat_id: 'chat-1',
    role: 'user',
    type: 'question',
    content: 'Hi',
    content_type: 'text',
    meta_data: { reply_id: 'alice-reply-1' },
  }
  const answer = {
    ...question,
    id: 'a1',
    role: 'assistant',
    type: 'answer',
    content: 'Hello',
    meta_data: {},
  }
  const seeded = { ...answer, id: 'h1', content: 'old', meta_data: { history_of: 'alice-reply-1' } }
  const foreign = { ...answer, id: 'a3', chat_id: 'chat-9', content: "Bob's" }
  const finish = {
    ...answer,
    id: 'v1',
    type: 'verbose',
    content: '{"msg_type":"generate_answer_finish","data":""}',
  }
  const request = {
    ...alice,
    upstreamConversationId: 'up-1',
    chatId: undefined,
    shown: '',
    isFinished: false,
  }
  const announced = { ...request, chatId: 'chat-1', shown: 'Hello', isFinished: true }

  it('is found by our reply, and told when the list says that its answer is whole', async () => {
    const later = { ...answer, id: 'a2', content: 'And more' }
    const { strategy } = open({
      // Newest first, as the platform lists them.
      request: () => ({ data: [foreign, finish, later, answer, question, seeded] }),
    })
    expect(await strategy.recover(request, signal)).toEqual({
      type: 'found',
      events: [
        { type: 'accepted', ...ids },
        { type: 'message', ...ids, messageId: 'a1', text: 'Hello' },
        { type: 'message', ...ids, messageId: 'a2', text: 'And more' },
        { type: 'completed', ...ids, usage: null },
      ],
    })
  })

  it('is never taken for complete because its answers have stopped growing', async () => {
    const { client, strategy } = open({ request: () => ({ data: [answer, question] }) })
    expect(await strategy.recover(request, signal)).toEqual({ type: 'unknown' })
    expect(client.sent).toHaveLength(1)
  })

  it('is complete when its stream had said everything and announced it, and the list has it', async () => {
    const { client, clock, strategy } = open({
      request: (_, nth) => ({ data: nth < 3 ? undefined : [foreign, answer, question] }),
    })
    const recovering = strategy.recover(announced, signal)
    await clock.pass(2000)
    const recovered = await recovering
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
    expect(client.sent[0]?.body).toMatchObject({ chat_id: 'chat-1' })
  })

  it.each([
    ['the answer holds no list', {}],
    ['the list is empty', { data: [] }],
    ['the answer is of another chat', { data: [foreign] }],
    ['the listed answer is shorter', { data: [{ ...answer, content: 'Hel' }] }],
    ['the listed answer is another', { data: [{ ...answer, content: 'Hullo there' }] }],
    ['the listed answer is as if of the user', { data: [{ ...answer, role: 'user' }] }],
    ['the answer is odd', { data: 'none' }],
  ])('is not complete, whatever its stream announced, when %s', async (_, body) => {
    const { clock, strategy } = open({ request: () => body })
    const recovering = strategy.recover(announced, signal)
    await clock.pass(31_000)
    expect(await recovering).toEqual({ type: 'unknown' })
  })

  it("holds another conversation's answer, for the guard to judge, though nothing else is listed", async () => {
    const stray = { ...answer, id: 's1', conversation_id: 'of-bob', content: "Bob's" }
    const { strategy } = open({ request: () => ({ data: [stray] }) })
    const recovered = await strategy.recover({ ...request, chatId: 'chat-1' }, signal)
    expect(recovered.type === 'found' && recovered.events).toContainEqual(
      expect.objectContaining({ conversationId: 'of-bob' }),
    )
  })

  it.each([
    ['our message is not there', { data: [foreign] }],
    ['the conversation is empty', { data: [] }],
  ])('is unknown when %s', async (_, body) => {
    const { client, strategy } = open({ request: () => body })
    expect(await strategy.recover(request, signal)).toEqual({ type: 'unknown' })
    expect(client.sent).toHaveLength(1)
  })

  it('is unknown when its conversation never was', async () => {
    const { client, strategy } = open({})
    const named = { ...request, upstreamConversationId: undefined }
    expect(await strategy.recover(named, signal)).toEqual({ type: 'unknown' })
    expect(client.sent).toHaveLength(0)
  })

  it('is looked for again after a passing failure, and ends with the signal', async () => {
    const { client, clock, strategy } = open({
      request: () => {
        throw new CozeError('unavailable', 'no connection', { accepted: 'no' })
      },
    })
    const stop = new AbortController()
    const recovering = expect(strategy.recover(request, stop.signal)).rejects.toThrow('stopped')
    await clock.pass(3000)
    expect(client.sent.length).toBeGreaterThan(2)
    stop.abort(new Error('stopped'))
    await recovering
    expect(clock.pending).toBe(0)
  })
})
