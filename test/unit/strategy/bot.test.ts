import { describe, expect, it } from 'vitest'
import { CozeError } from '../../../src/coze/errors.ts'
import type { CozeEvent } from '../../../src/coze/events.ts'
import type { BotSettings } from '../../../src/config/sections/target.ts'
import type { Platform } from '../../../src/domain.ts'
import { createBotStrategy } from '../../../src/strategy/bot.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { plain } from '../../kit/fakes/plain.ts'
import { botSettings, strategyOptions } from '../../kit/fakes/strategy-options.ts'
import { answerOf, collect, createHistory, createRun, untaken } from '../../kit/fakes/runs.ts'
import { createScriptedCoze, nameTokens } from '../../kit/fakes/coze.ts'

const { signal } = new AbortController()
const ids = { chatId: 'chat-1', conversationId: 'up-1' }
const told: readonly CozeEvent[] = [
  { type: 'created', ...ids },
  { type: 'delta', ...ids, messageId: 'm1', kind: 'ANSWER', contentType: 'text', text: 'Hello' },
  { type: 'completed', ...ids, usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 } },
]
const alice = createRun('alice')
const lookup = { id: 'call-1', kind: 'FUNCTION', name: 'lookup', arguments: '{"of":"x"}' } as const
const lookupRequired = {
  type: 'submit_tool_outputs',
  submit_tool_outputs: {
    tool_calls: [
      { id: 'call-1', type: 'function', function: { name: 'lookup', arguments: '{"of":"x"}' } },
    ],
  },
}
const upstream = { type: 'id', conversationId: 'up-1' } as const
const message = { ...alice, upstream, text: 'Hi', history: [], ...plain }

function open(
  script: Parameters<typeof createScriptedCoze>[0],
  bot: Partial<BotSettings> = {},
  platform: Platform = 'cloud',
) {
  const client = createScriptedCoze(script)
  const clock = createFakeClock()
  const strategy = createBotStrategy({
    client,
    clock,
    tokens: nameTokens,
    random: () => 0.5,
    scope: { origin: 'http://coze.test', account: '' },
    recoverMs: 600_000,
    ...strategyOptions(platform),
    bot: botSettings({ customVariables: { LANGUAGE: 'en' }, ...bot }),
  })
  return { client, clock, strategy }
}

describe('bot strategy', () => {
  it('opens a conversation of the Bot', async () => {
    const { client, strategy } = open({ request: () => ({ data: { id: 'up-1' } }) })
    expect(await strategy.open(alice, signal)).toEqual({ ...upstream, logId: 'log-1', isNew: true })
    expect(client.sent).toMatchObject([
      { path: '/v1/conversation/create', session: 'alice', body: { bot_id: 'bot-1' } },
    ])
  })

  it.each([
    ['conversation-gone', 'cloud', 'not-readable'],
    ['refused', 'cloud', 'not-listed'],
    ['not-supported', 'studio', 'not-listed'],
  ] as const)('takes "%s" of a list on %s for %s', async (kind, platform, rows) => {
    const client = createScriptedCoze({
      request: () => {
        throw new CozeError(kind, 'x', { accepted: 'no' })
      },
    })
    const strategy = createBotStrategy({
      client,
      clock: createFakeClock(),
      tokens: nameTokens,
      random: () => 0.5,
      scope: { origin: 'http://coze.test', account: '' },
      recoverMs: 600_000,
      ...strategyOptions(platform),
      bot: botSettings(),
    })
    const run = { ...alice, upstreamConversationId: 'up-2', chatId: '9', history: [] }
    expect(await strategy.listRevealed(run, signal)).toBe(rows)
  })

  it('fails a run of Studio whose conversation vanishes before it is known who else is in it', async () => {
    const { strategy } = open(
      {
        request: () => {
          throw new CozeError('conversation-gone', 'x', { accepted: 'no' })
        },
      },
      {},
      'studio',
    )
    const run = { ...alice, upstreamConversationId: 'up-2', chatId: '9', history: [] }
    await expect(strategy.listRevealed(run, signal)).rejects.toMatchObject({
      conversationGone: true,
      outcome: 'unseen',
    })
  })

  it('T13: keys every layer of a run, the conversation in the query', async () => {
    const { client, strategy } = open({ stream: () => [told] })
    const { events } = await collect((take) => strategy.start(message, take, signal))
    expect(answerOf(events)).toBe('Hello')
    expect(client.sent).toEqual([
      {
        path: '/v3/chat',
        session: 'alice',
        query: { conversation_id: 'up-1' },
        body: {
          bot_id: 'bot-1',
          user_id: 'alice',
          stream: true,
          auto_save_history: true,
          additional_messages: [
            {
              role: 'user',
              type: 'question',
              content: 'Hi',
              content_type: 'text',
              meta_data: { reply_id: 'alice-reply-1' },
            },
          ],
          custom_variables: { LANGUAGE: 'en', SESSION_NAME: 'alice' },
          meta_data: { reply_id: 'alice-reply-1' },
          extra_params: { reply_id: 'alice-reply-1' },
        },
      },
    ])
  })

  it("sends a message's variables as texts over configured ones, its files and its metadata", async () => {
    const { client, strategy } = open({ stream: () => [told] }, { metadata: { team: 'blue' } })
    const attachments = [
      { upstreamId: 'f1', name: 'a.png', mediaType: 'image/png' },
      { upstreamId: 'f2', name: 'a.mp3', mediaType: 'AUDIO/mpeg' },
      { upstreamId: 'f3', name: 'a.pdf', mediaType: 'application/pdf' },
      { upstreamId: 'f4', name: 'a', mediaType: 'imagery' },
    ]
    const extras = {
      parameters: { LANGUAGE: 'de', COUNT: 3, LIST: ['a'] },
      metadata: { shift: 'night' },
    }
    const imageUrls = ['https://images.example.com/a.png']
    const request = { ...message, attachments, imageUrls, extras }
    await collect((take) => strategy.start(request, take, signal))
    const metaData = { team: 'blue', shift: 'night', reply_id: 'alice-reply-1' }
    expect(client.sent[0]?.body).toMatchObject({
      additional_messages: [{ content_type: 'object_string', meta_data: metaData }],
      custom_variables: { LANGUAGE: 'de', COUNT: '3', LIST: '["a"]', SESSION_NAME: 'alice' },
      meta_data: metaData,
    })
    const body = client.sent[0]?.body as { additional_messages: [{ content: string }] }
    expect(JSON.parse(body.additional_messages[0].content)).toEqual([
      { type: 'text', text: 'Hi' },
      { type: 'image', file_id: 'f1' },
      { type: 'audio', file_id: 'f2' },
      { type: 'file', file_id: 'f3' },
      { type: 'file', file_id: 'f4' },
      { type: 'image', file_url: 'https://images.example.com/a.png' },
    ])
  })

  it.each([
    ['the variable of the session', { parameters: { WHO: 'bob' } }],
    ["our reply's id", { metadata: { reply_id: 'x' } }],
  ])('lets no message set %s', async (_, given) => {
    const { client, strategy } = open({ stream: () => [told] }, { sessionVariable: 'WHO' })
    const extras = { ...plain.extras, ...given }
    await expect(strategy.start({ ...message, extras }, untaken, signal)).rejects.toThrow(TypeError)
    expect(client.sent).toHaveLength(0)
  })

  it('takes no files where it is configured to take none', async () => {
    const { strategy } = open({ stream: () => [told] }, { attachments: false })
    const attachments = [{ upstreamId: 'f1', name: 'a', mediaType: 'text/plain' }]
    await expect(strategy.start({ ...message, attachments }, untaken, signal)).rejects.toThrow(
      TypeError,
    )
  })

  it('refuses to be made where a message could name the session', () => {
    expect(() => open({}, { messageVariables: ['SESSION_NAME'] })).toThrow('"messageVariables"')
  })

  it('says what keys each layer', () => {
    expect(open({}).strategy.layers.map(({ layer, keyedBy }) => `${layer}: ${keyedBy}`)).toEqual([
      'identity: access token: minted for the name of the session',
      'conversation: conversation_id: created for it',
      'variables: user_id: the name of the session',
      'knowledge: custom_variables.SESSION_NAME: the name of the session',
    ])
  })

  it('tells the log id of the call that was accepted, and how many were not', async () => {
    const busy = new CozeError('busy', 'code 4016', { accepted: 'no' })
    const refused = new CozeError('auth', 'code 4100', { accepted: 'no' })
    const { strategy, clock } = open({
      stream: (_, nth) => (nth === 1 ? [busy] : nth === 2 ? [refused] : [told]),
    })
    const running = collect((take) => strategy.start(message, take, signal))
    await clock.pass(1000)
    const { events } = await running
    expect(events[0]).toEqual({ type: 'accepted', ...ids, logId: 'log-1', retries: 2 })
  })

  it('sends at most 100 messages', async () => {
    const { client, strategy } = open({ stream: () => [told] })
    const texts = Array.from({ length: 120 }, (_, index) => `text ${index}`)
    const history = createHistory(alice, texts)
    await collect((take) => strategy.start({ ...message, history }, take, signal))
    const body = client.sent[0]?.body as { additional_messages: { content: string }[] }
    expect(body.additional_messages).toHaveLength(100)
    expect(body.additional_messages[0]?.content).toBe('text 21')
  })

  it.each(['thrown instead of the stream', 'as its first event'])(
    'F17: waits its turn while the conversation is busy, at most 10 s (%s)',
    async (how) => {
      const busy = new CozeError('busy', 'code 4016', { accepted: 'no', upstreamCode: '4016' })
      const refusal =
        how === 'as its first event' ? [{ type: 'error', error: busy } as const] : busy
      const freed = open({ stream: (_, nth) => (nth < 4 ? [refusal] : [told]) })
      const running = collect((take) => freed.strategy.start(message, take, signal))
      await freed.clock.pass(10_000)
      expect(answerOf((await running).events)).toBe('Hello')
      expect(freed.client.sent).toHaveLength(4)

      const stuck = open({ stream: () => [refusal] })
      let over = false
      const failing = collect((take) => stuck.strategy.start(message, take, signal)).finally(
        () => (over = true),
      )
      await stuck.clock.pass(9900)
      expect(over).toBe(false)
      await stuck.clock.pass(100)
      const { events, error } = await failing
      expect(events).toEqual([])
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        failure: { code: 'CONVERSATION_BUSY', retryable: true },
      })
      expect(stuck.client.sent.length).toBeLessThan(20)
    },
  )

  it('F3: a token that is refused by the first event of a stream is as good as one refused before', async () => {
    const error = new CozeError('auth', 'code 4100', { accepted: 'no', upstreamCode: '4100' })
    const { client, strategy } = open({
      stream: (_, nth) => (nth === 1 ? [[{ type: 'error', error }]] : [told]),
    })
    const { events } = await collect((take) => strategy.start(message, take, signal))
    expect(answerOf(events)).toBe('Hello')
    expect(client.sent).toHaveLength(2)
  })

  it.each([
    ['F7', new CozeError('server', 'HTTP 500', { accepted: 'unknown' }), 'UPSTREAM_ERROR'],
    [
      'F1',
      new CozeError('unavailable', 'reset', { accepted: 'unknown' }),
      'UPSTREAM_OUTCOME_UNKNOWN',
    ],
    ['F10', new CozeError('timeout', 'silence', { accepted: 'yes' }), 'UPSTREAM_TIMEOUT'],
  ])('%s: never sends again what may have been accepted', async (_, thrown, code) => {
    const { client, strategy } = open({ stream: () => [thrown] })
    const { error } = await collect((take) => strategy.start(message, take, signal))
    expect(error).toMatchObject({ outcome: 'unseen', failure: { code } })
    expect(client.sent).toHaveLength(1)
  })

  it("keeps an abort's reason", async () => {
    const { strategy } = open({ stream: () => [told] })
    const reason = new Error('cancelled')
    const { error } = await collect((take) =>
      strategy.start(message, take, AbortSignal.abort(reason)),
    )
    expect(error).toBe(reason)
  })

  it.each([
    ['cancelled', 'data', 'canceled', 'agreed'],
    ['cancelled, as Studio says it', 'ChatV3ChatDetail', 'conversation.chat.cancelled', 'agreed'],
    ['not cancelled', 'data', 'completed', 'refused'],
  ])('says that a chat was %s', async (_, key, status, expected) => {
    const { client, strategy } = open({
      request: () => ({ [key]: { id: 'chat-1', conversation_id: 'up-1', status } }),
    })
    const run = { ...alice, upstreamConversationId: 'up-1', chatId: 'chat-1' }
    expect(await strategy.cancel(run, signal)).toBe(expected)
    expect(client.sent).toMatchObject([
      { path: '/v3/chat/cancel', body: { conversation_id: 'up-1', chat_id: 'chat-1' } },
    ])
  })

  it.each([
    ['refused', 'refused'],
    ['conversation-gone', 'refused'],
    ['not-supported', 'refused'],
    ['unavailable', 'not-told'],
    ['timeout', 'not-told'],
    ['server', 'not-told'],
    ['rate-limited', 'not-told'],
    ['auth', 'not-told'],
  ] as const)('never fails a cancel, and says of "%s" that it was %s', async (kind, outcome) => {
    const { strategy } = open({
      request: () => {
        throw new CozeError(kind, 'no', { accepted: 'no' })
      },
    })
    const run = { ...alice, upstreamConversationId: 'up-1', chatId: 'chat-1' }
    expect(await strategy.cancel(run, signal)).toBe(outcome)
  })
})

describe('tool outputs for a Bot', () => {
  const run = { ...alice, upstreamConversationId: 'up-1', chatId: 'chat-1' }
  const lost = { ...run, shown: '', isFinished: false }
  const outputs = [{ toolCallId: 'call-1', output: 'found' }]
  const submission = { ...run, outputs }
  const path = '/v3/chat/submit_tool_outputs'

  it.each([
    ['with the chat again', [{ type: 'in-progress', ...ids } as const, ...told.slice(1)]],
    ['with the answer at once', told.slice(1)],
  ])('go on with the same chat, which the first event names (%s)', async (_, stream) => {
    const { client, strategy } = open({ stream: () => [stream] })
    const { events, error } = await collect((take) =>
      strategy.submitToolOutputs(submission, take, signal),
    )
    expect(error).toBeUndefined()
    expect(events.map(({ type }) => type)).toEqual(['accepted', 'delta', 'completed'])
    expect(events[0]).toEqual({ type: 'accepted', ...ids, logId: 'log-1', retries: 0 })
    expect(client.sent).toEqual([
      {
        path,
        session: 'alice',
        query: { conversation_id: 'up-1', chat_id: 'chat-1' },
        body: { tool_outputs: [{ tool_call_id: 'call-1', output: 'found' }], stream: true },
      },
    ])
  })

  it('may be asked for again', async () => {
    const { strategy } = open({
      stream: () => [[{ type: 'requires-action', ...ids, toolCalls: [lookup] }]],
    })
    const { events } = await collect((take) => strategy.submitToolOutputs(submission, take, signal))
    expect(events).toMatchObject([
      { type: 'accepted', ...ids },
      { type: 'action-required', ...ids, toolCalls: [lookup] },
    ])
  })

  it("F16: tell another chat's answer for the guard to judge", async () => {
    const foreign = told.slice(1).map((event) => ({ ...event, chatId: 'chat-9' }))
    const { strategy } = open({ stream: () => [foreign] })
    const { events } = await collect((take) => strategy.submitToolOutputs(submission, take, signal))
    expect(events[0]).toMatchObject({ type: 'accepted', chatId: 'chat-9' })
  })

  it('F3: are sent once more when the token is refused, and no more', async () => {
    const refused = new CozeError('auth', 'code 4100', { accepted: 'no', upstreamCode: '4100' })
    const once = open({ stream: (_, nth) => (nth === 1 ? [refused] : [told]) })
    const { events } = await collect((take) =>
      once.strategy.submitToolOutputs(submission, take, signal),
    )
    expect(answerOf(events)).toBe('Hello')
    expect(once.client.sent).toHaveLength(2)

    const always = open({ stream: () => [refused] })
    const { error } = await collect((take) =>
      always.strategy.submitToolOutputs(submission, take, signal),
    )
    expect(error).toMatchObject({ outcome: 'not-accepted', failure: { code: 'UPSTREAM_AUTH' } })
    expect(always.client.sent).toHaveLength(2)
  })

  it.each([
    ['server', 'unknown', 'UPSTREAM_ERROR'],
    ['unavailable', 'unknown', 'UPSTREAM_OUTCOME_UNKNOWN'],
    ['truncated', 'unknown', 'UPSTREAM_TRUNCATED'],
    ['timeout', 'yes', 'UPSTREAM_TIMEOUT'],
    ['auth', 'unknown', 'UPSTREAM_AUTH'],
  ] as const)(
    'are never sent again when they may have been accepted (%s, %s)',
    async (kind, accepted, code) => {
      const { client, strategy } = open({ stream: () => [new CozeError(kind, 'x', { accepted })] })
      const { error } = await collect((take) =>
        strategy.submitToolOutputs(submission, take, signal),
      )
      expect(error).toMatchObject({ outcome: 'unseen', failure: { code } })
      expect(client.sent).toHaveLength(1)
    },
  )

  it('F10 F15: have the deadlines of a run', async () => {
    const { strategy, client } = open({ stream: () => [told] })
    await collect((take) => strategy.start(message, take, signal))
    await collect((take) => strategy.submitToolOutputs(submission, take, signal))
    const [started, submitted] = client.timeouts
    expect(started).toEqual(strategyOptions().timeouts)
    expect(submitted).toEqual(started)
  })

  it('are polled for after they were sent, until the chat has ended', async () => {
    const row = {
      id: 'a1',
      conversation_id: 'up-1',
      chat_id: 'chat-1',
      role: 'assistant',
      type: 'answer',
      content: 'Hello',
      content_type: 'text',
    }
    const { strategy, clock } = open({
      request({ path: asked }, nth) {
        if (asked === '/v3/chat/message/list') return { data: [row] }
        const status = nth < 3 ? 'in_progress' : 'completed'
        return { data: { id: 'chat-1', conversation_id: 'up-1', status } }
      },
    })
    const recovering = strategy.recover(lost, signal)
    await clock.pass(2000)
    const recovered = await recovering
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
  })
})

describe('a lost Bot run', () => {
  const chat = { id: 'chat-1', conversation_id: 'up-1' }
  const row = {
    id: 'a1',
    conversation_id: 'up-1',
    chat_id: 'chat-1',
    role: 'assistant',
    type: 'answer',
    content: 'Hello',
    content_type: 'text',
  }
  const rows = [
    { ...row, id: 'h1', content: 'old', meta_data: { history_of: 'alice-reply-1' } },
    { ...row, id: 'v1', type: 'verbose', content: '{}' },
    row,
    { ...row, id: 'f1', type: 'follow_up', content: 'Why?' },
  ]
  const request = {
    ...alice,
    upstreamConversationId: 'up-1',
    chatId: 'chat-1',
    shown: '',
    isFinished: false,
  }
  const finish = {
    ...row,
    id: 'v2',
    type: 'verbose',
    content: '{"msg_type":"generate_answer_finish","data":"","from_unit":""}',
  }

  /** A chat that has completed, and whose messages are listed so. */
  const listed = (list: Readonly<Record<string, unknown>>) =>
    open({
      request: ({ path }) =>
        path === '/v3/chat/message/list' ? list : { data: { ...chat, status: 'completed' } },
    })

  async function recover(list: Readonly<Record<string, unknown>>, shown: string) {
    const { strategy, clock } = listed(list)
    const recovering = strategy.recover({ ...request, shown }, signal)
    await clock.pass(10_000)
    return await recovering
  }

  it.each([
    ['where the cloud lists it', 'data'],
    ['where Studio lists it', 'Messages'],
  ])('is recovered whole when a part was shown (%s)', async (_, key) => {
    const question = { ...row, id: 'q1', role: 'user', type: 'question', content: 'Hi' }
    const recovered = await recover({ [key]: [question, row, finish] }, 'Hel')
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
    expect(recovered.type === 'found' && recovered.events.at(-1)?.type).toBe('completed')
  })

  it.each([
    ['the answer holds no list', {}],
    ['the list is under a name that nobody knows', { Rows: [row] }],
    ['the list is empty', { data: [] }],
    ['the list is no list', { data: { 0: row } }],
    ['the list holds the question alone', { data: [{ ...row, role: 'user', type: 'question' }] }],
    ['the answer is of another chat', { data: [{ ...row, chat_id: 'chat-9' }] }],
    ['the answer is of no chat', { data: [{ ...row, chat_id: '' }] }],
    ['the answer is the user, as Studio writes seeded ones', { data: [{ ...row, role: 'user' }] }],
    ['the answer has an unknown role', { data: [{ ...row, role: 'tool' }] }],
    [
      'the whole answer is no text, but some was shown',
      { data: [{ ...row, content_type: 'card', content: '{}' }, finish] },
    ],
    ['there are notes alone', { data: [{ ...row, type: 'verbose' }] }],
    ['the answer is shorter than what was shown', { data: [{ ...row, content: 'Hel' }] }],
    ['the answer is another than what was shown', { data: [{ ...row, content: 'Hullo there' }] }],
  ])('is never told to be complete when %s', async (_, list) => {
    expect(await recover(list, 'Hello')).toEqual({ type: 'unknown' })
  })

  it.each([
    ['shorter', 'Hel'],
    ['another', 'Hullo there'],
  ])('is corrected when the platform says that the answer is whole: %s', async (_, content) => {
    const recovered = await recover({ data: [{ ...row, content }, finish] }, 'Hello')
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe(content)
  })

  it.each([
    ['alone', []],
    ['beside its own', [row, finish]],
  ])("holds another conversation's answer, for the guard to judge: %s", async (_, own) => {
    const stray = { ...row, id: 's1', conversation_id: 'of-bob', content: "Bob's" }
    const recovered = await recover({ Messages: [stray, ...own] }, 'Hel')
    expect(recovered.type === 'found' && recovered.events).toContainEqual(
      expect.objectContaining({ conversationId: 'of-bob' }),
    )
  })

  it('is told in the order in which it was said, whatever the order of the list', async () => {
    const question = { ...row, id: '100', role: 'user', type: 'question', content: 'Hi' }
    const first = { ...row, id: '101' }
    const second = { ...row, id: '1002', content: 'and more' }
    const note = { ...finish, id: '1003' }
    for (const Messages of [
      [question, first, second, note],
      [note, second, first, question],
      [second, question, note, first],
    ]) {
      const recovered = await recover({ Messages }, 'Hel')
      expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello\n\nand more')
    }
  })

  it('holds no older answer that was sent along with the question and is stored as one of its chat', async () => {
    const older = { ...row, id: '98', content: 'what I said before' }
    const question = { ...row, id: '99', role: 'user', type: 'question', content: 'Hi' }
    const note = { ...finish, id: '101' }
    const list = { Messages: [note, older, { ...row, id: '100' }, question] }
    const recovered = await recover(list, 'Hel')
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
    expect(await recover({ Messages: [older, question] }, '')).toEqual({ type: 'unknown' })
  })

  it.each(['/v3/chat/retrieve', '/v3/chat/message/list'])(
    'F9: is looked for again where %s says nothing for long, then breaks off',
    async (silent) => {
      const { strategy, clock } = open({
        request({ path }, nth) {
          if (path === silent && nth === 1) {
            clock.advance(15_000)
            throw new CozeError('timeout', 'no answer in time', { accepted: 'unknown' })
          }
          if (path === silent && nth === 2) {
            throw new CozeError('truncated', 'the answer broke off', { accepted: 'unknown' })
          }
          return path === '/v3/chat/message/list'
            ? { Messages: [row] }
            : { data: { ...chat, status: 'completed' } }
        },
      })
      const recovering = strategy.recover(request, signal)
      await clock.pass(20_000)
      const recovered = await recovering
      expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
    },
  )

  it('is looked for again when its answer is listed a little later', async () => {
    const { strategy, clock } = open({
      request: ({ path }, nth) =>
        path === '/v3/chat/message/list'
          ? { Messages: nth < 3 ? [] : [row] }
          : { data: { ...chat, status: 'completed' } },
    })
    const recovering = strategy.recover(request, signal)
    await clock.pass(2000)
    const recovered = await recovering
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
  })

  it.each([
    ['holds no chat', { data: {} }],
    ['has a status that nobody knows', { data: { ...chat, status: 'dreaming' } }],
    ['is under a name that nobody knows', { Chat: { ...chat, status: 'completed' } }],
  ])('is unknown when what is told of it %s', async (_, body) => {
    const { strategy } = open({ request: () => body })
    expect(await strategy.recover(request, signal)).toEqual({ type: 'unknown' })
  })

  it('takes its usage from the answer where nothing else tells it', async () => {
    const meta_data = { input_tokens: '11', output_tokens: '7', token: '18' }
    const recovered = await recover({ Messages: [{ ...row, meta_data }] }, '')
    expect(recovered.type === 'found' && recovered.events.at(-1)).toMatchObject({
      usage: { inputTokens: 11, outputTokens: 7, totalTokens: 18 },
    })
  })

  it('F9: is polled, at least 1 s apart, until it has ended, then told whole', async () => {
    const { client, clock, strategy } = open({
      request({ path }, nth) {
        if (path === '/v3/chat/message/list') return { data: rows }
        if (nth === 2) throw new CozeError('server', 'HTTP 502', { accepted: 'unknown' })
        const usage = { input_count: 1, output_count: 2, token_count: 3 }
        return { data: { ...chat, usage, status: nth < 4 ? 'in_progress' : 'completed' } }
      },
    })
    const recovering = strategy.recover(request, signal)
    await clock.pass(2999)
    expect(client.sent).toHaveLength(3)
    await clock.pass(1)
    expect(await recovering).toEqual({
      type: 'found',
      events: [
        { type: 'accepted', ...ids },
        { type: 'message', ...ids, messageId: 'a1', text: 'Hello' },
        { type: 'follow-up', ...ids, text: 'Why?' },
        {
          type: 'completed',
          ...ids,
          usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        },
      ],
    })
  })

  it('F9: is given up when it does not end in time', async () => {
    const { clock, strategy } = open({
      request: () => ({ data: { ...chat, status: 'in_progress' } }),
    })
    const recovering = strategy.recover(request, signal)
    let isOver = false
    void recovering.then(() => (isOver = true))
    await clock.pass(599_000)
    expect(isOver).toBe(false)
    await clock.pass(1_000)
    expect(await recovering).toEqual({ type: 'unknown' })
  })

  it("is found by our reply's id when its chat is not known", async () => {
    const question = {
      ...row,
      role: 'user',
      type: 'question',
      meta_data: { reply_id: 'alice-reply-1' },
    }
    const other = { ...question, chat_id: 'chat-9', meta_data: { reply_id: 'alice-reply-0' } }
    const { client, strategy } = open({
      request({ path }) {
        if (path === '/v1/conversation/message/list') return { data: [row, other, question] }
        if (path === '/v3/chat/message/list') return { data: rows }
        return { data: { ...chat, status: 'completed' } }
      },
    })
    const recovered = await strategy.recover({ ...request, chatId: undefined }, signal)
    expect(recovered.type).toBe('found')
    const query = { conversation_id: 'up-1', chat_id: 'chat-1' }
    expect(client.sent).toMatchObject([
      { path: '/v1/conversation/message/list' },
      { path: '/v3/chat/retrieve', query },
      { path: '/v3/chat/message/list', query },
    ])
  })

  it.each(['canceled', 'cancelled', 'conversation.chat.cancelled'])(
    'F18: is told to be cancelled (%s)',
    async (status) => {
      const { strategy } = open({ request: () => ({ data: { ...chat, status } }) })
      expect(await strategy.recover(request, signal)).toEqual({
        type: 'found',
        events: [
          { type: 'accepted', ...ids },
          { type: 'cancelled', ...ids },
        ],
      })
    },
  )

  it('is found by the messages that Studio marks with our reply', async () => {
    const marked = { ...row, meta_data: { reply_id: 'alice-reply-1' } }
    const { strategy } = open({
      request({ path }) {
        if (path === '/v1/conversation/message/list') return { data: [marked] }
        if (path === '/v3/chat/message/list') return { Messages: [marked] }
        return { data: { ...chat, status: 'completed' } }
      },
    })
    const recovered = await strategy.recover({ ...request, chatId: undefined }, signal)
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('Hello')
  })

  it.each([
    [
      'listed',
      () => ({ data: [row] }),
      [{ type: 'message', ...ids, messageId: 'a1', text: 'Hello' }],
    ],
    [
      'not listed while it waits',
      () => {
        throw new CozeError('refused', 'code 4000', { accepted: 'no' })
      },
      [],
    ],
  ])('is told to wait for tool outputs, with what it said if that is %s', async (_, list, said) => {
    const { strategy } = open({
      request: ({ path }) =>
        path === '/v3/chat/message/list'
          ? list()
          : { data: { ...chat, status: 'requires_action', required_action: lookupRequired } },
    })
    expect(await strategy.recover(request, signal)).toEqual({
      type: 'found',
      events: [
        { type: 'accepted', ...ids },
        ...said,
        { type: 'action-required', ...ids, toolCalls: [lookup] },
      ],
    })
  })

  it('F18: throws how it failed', async () => {
    const { strategy } = open({
      request: () => ({ data: { ...chat, status: 'failed', last_error: { code: 4011, msg: '' } } }),
    })
    await expect(strategy.recover(request, signal)).rejects.toMatchObject({
      outcome: 'ended',
      upstreamCode: '4011',
      failure: { code: 'UPSTREAM_QUOTA' },
    })
  })

  it('is unknown when our message is not there, or the conversation is gone', async () => {
    const empty = open({ request: () => ({ data: [] }) })
    const lost = { ...request, chatId: undefined }
    expect(await empty.strategy.recover(lost, signal)).toEqual({ type: 'unknown' })
    const gone = open({
      request: () => {
        throw new CozeError('conversation-gone', 'code 4002', { accepted: 'no' })
      },
    })
    expect(await gone.strategy.recover(request, signal)).toEqual({ type: 'unknown' })
  })

  it('leaves the ids that the upstream gave, for the guard to judge', async () => {
    const { strategy } = open({
      request: ({ path }) =>
        path === '/v3/chat/message/list'
          ? { data: [{ ...row, conversation_id: 'up-9' }] }
          : { data: { ...chat, status: 'completed' } },
    })
    const recovered = await strategy.recover(request, signal)
    expect(recovered).toMatchObject({ events: [{}, { conversationId: 'up-9' }, {}] })
  })
})
