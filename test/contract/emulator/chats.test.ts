import { RoleType } from '@coze/api'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  askBot,
  askWorkflow,
  app_id,
  bot_id,
  collect,
  completed,
  created,
  eventNames,
  failure,
  isMessage,
  names,
  signInTo,
  streamed,
  user,
  workflow_id,
} from '../../kit/clients/sdk.ts'
import {
  createTestApp,
  publicPart,
  type RunningEmulator,
  startEmulator,
  type TestApp,
} from '../../kit/process/emulator.ts'

let app: TestApp
let emulator: RunningEmulator

beforeAll(async () => {
  app = createTestApp()
  emulator = await startEmulator({
    apps: [publicPart(app)],
    workflows: [
      { workflowId: workflow_id, appId: app_id },
      { workflowId: 'unpublished', appId: app_id, published: false },
    ],
    bots: [{ botId: bot_id }, { botId: 'unpublished', published: false }],
    wordsPerSecond: 0,
  })
})
afterAll(async () => {
  expect((await emulator.state()).problems).toEqual([])
  await emulator.close()
})
beforeEach(() => emulator.clearFaults())

const signIn = async (sessionName: string) => signInTo(emulator, app, sessionName)

describe('workflow chat', () => {
  it('streams created, in progress, deltas, completed messages, completed, done', async () => {
    const events = await askWorkflow(await signIn('alice'), 'hello big world')
    expect(names(events)).toEqual(eventNames)
    expect(streamed(events)).toBe('You said: hello big world')
    expect(completed(events)).toEqual(['You said: hello big world'])
    expect(completed(events, 'verbose')[0]).toContain('generate_answer_finish')
    expect(created(events)).toMatchObject({
      id: expect.stringMatching(/^\d{19}$/),
      last_error: { code: 0, msg: '' },
      status: 'created',
      usage: { token_count: 0 },
    })
  })

  it('goes on in the conversation of its name, apart from other names', async () => {
    const alice = await signIn('alice-names')
    const named = (CONVERSATION_NAME: string) => ({ parameters: { CONVERSATION_NAME } })
    const told = await askWorkflow(alice, 'my code is blue', named('one'))
    const same = await askWorkflow(alice, 'what is my code?', named('one'))
    const other = await askWorkflow(alice, 'what is my code?', named('two'))
    expect(streamed(same)).toBe('Your code is blue.')
    expect(streamed(other)).toBe('I do not know your code.')
    expect(created(same).conversation_id).toBe(created(told).conversation_id)
    expect(created(other).conversation_id).not.toBe(created(told).conversation_id)

    const byId = await askWorkflow(alice, 'what is my code?', {
      conversation_id: created(told).conversation_id,
    })
    expect(streamed(byId)).toBe('Your code is blue.')
  })

  it('keeps two session names apart, even under one conversation name', async () => {
    const [alice, bob] = [await signIn('alice-wf'), await signIn('bob-wf')]
    const told = await askWorkflow(alice, 'my secret is blue-42')
    expect(streamed(await askWorkflow(alice, 'what is my secret?'))).toBe('Your secret is blue-42.')
    const asked = await askWorkflow(bob, 'what is my secret?')
    expect(streamed(asked)).toBe('I do not know your secret.')

    const { conversation_id } = created(told)
    await expect(failure(askWorkflow(bob, 'hi', { conversation_id }))).resolves.toMatchObject({
      code: 4002,
    })
    expect(await alice.conversations.retrieve(conversation_id)).toMatchObject({
      id: conversation_id,
    })
    await expect(bob.conversations.retrieve(conversation_id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.conversations.messages.list(conversation_id)).rejects.toMatchObject({
      code: 4002,
    })
  })

  it.each([
    ['both app and bot', { bot_id }, 4000],
    ['neither app nor bot', { app_id: undefined }, 4000],
    ['an unpublished workflow', { workflow_id: 'unpublished' }, 4200],
    ['an unknown workflow', { workflow_id: 'x' }, 4200],
    ['a workflow of another app', { app_id: 'x' }, 4200],
    ['no message', { additional_messages: [] }, 4000],
    [
      'an answer as the last message',
      { additional_messages: [{ role: RoleType.Assistant, content: 'x' }] },
      4000,
    ],
    ['51 messages', { additional_messages: Array.from({ length: 51 }, () => user('x')) }, 4000],
    ['a conversation that is not there', { conversation_id: '1' }, 4002],
    ['parameters that are no object', { parameters: '{}' }, 4000],
  ])('refuses %s with JSON instead of a stream', async (_name, changes, code) => {
    const alice = await signIn('alice')
    await expect(failure(askWorkflow(alice, 'hi', changes))).resolves.toMatchObject({ code })
  })

  it('uses the app’s get-or-create conversation, and refuses a plain one with an app', async () => {
    const alice = await signIn('alice-create')
    const create = (more: object) =>
      alice.conversations.create({ app_id, workflow_id, connector_id: '1024', ...more } as object)
    const first = await create({ conversation_name: 'n', get_or_create: true })
    expect(await create({ conversation_name: 'n', get_or_create: true })).toEqual(first)
    const fresh = await create({ conversation_name: 'n', get_or_create: false })
    expect(fresh.id).not.toBe(first.id)

    const events = await askWorkflow(alice, 'hi', { conversation_id: first.id })
    expect(created(events).conversation_id).toBe(first.id)
    const plain = await alice.conversations.create({})
    await expect(
      failure(askWorkflow(alice, 'hi', { conversation_id: plain.id })),
    ).resolves.toMatchObject({ code: 4002 })
  })

  it('asks a question and takes the next message as its answer', async () => {
    const alice = await signIn('alice-ask')
    const asked = await askWorkflow(alice, '/ask Tea or coffee?')
    expect(names(asked).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
    expect(streamed(asked)).toBe('Tea or coffee?')
    const { conversation_id } = created(asked)
    const answered = await askWorkflow(alice, 'tea', { conversation_id })
    expect(streamed(answered)).toBe('You answered "Tea or coffee?" with: tea')
  })

  it('fails, breaks off, thinks and suggests on request', async () => {
    const alice = await signIn('alice-faces')
    const failed = (await askWorkflow(alice, '/fail 5000 no luck')).at(-1)
    expect(failed).toMatchObject({
      event: 'conversation.chat.failed',
      data: { status: 'failed', last_error: { code: 5000, msg: 'no luck' } },
    })
    const broken = (await askWorkflow(alice, '/error 4000 bad')).at(-1)
    expect(broken).toMatchObject({ event: 'error', data: { code: '4000', msg: 'bad' } })

    const thought = await askWorkflow(alice, '/think one two\n/say three')
    const reasoning = thought.flatMap((event) =>
      isMessage(event, 'conversation.message.delta') ? (event.data.reasoning_content ?? []) : [],
    )
    expect(reasoning.join('')).toBe('one two')
    expect(streamed(thought)).toBe('three')
    expect(completed(await askWorkflow(alice, '/followups hi'), 'follow_up')).toHaveLength(3)
    expect(completed(await askWorkflow(alice, '/two hi'))).toHaveLength(2)
  })
})

describe('bot chat', () => {
  it('streams as a workflow does, and the JSON string [DONE] at the end', async () => {
    const events = await askBot(await signIn('alice'), '你好世界')
    expect(names(events)).toEqual(eventNames)
    expect(streamed(events)).toBe('你说：你好世界')
    expect(created(events)).toMatchObject({ bot_id })
  })

  it('answers at once without a stream, to be polled', async () => {
    const alice = await signIn('alice-poll')
    const { chat, messages } = await alice.chat.createAndPoll({
      bot_id,
      user_id: 'u',
      additional_messages: [user('hello')],
      meta_data: { reply: 'r1' },
    })
    expect(chat).toMatchObject({ status: 'completed', meta_data: { reply: 'r1' } })
    expect(chat.usage?.token_count).toBeGreaterThan(0)
    const types = messages?.map(({ type }) => type)
    expect(types).toEqual(['answer', 'verbose'])
    expect(messages?.[0]).toMatchObject({ content: 'You said: hello', chat_id: chat.id })
  })

  it('remembers within a conversation until it is cleared', async () => {
    const alice = await signIn('alice-bot')
    const { id } = await alice.conversations.create({ bot_id })
    await askBot(alice, 'my secret is blue-42', { conversation_id: id })
    expect(streamed(await askBot(alice, 'what is my secret?', { conversation_id: id }))).toBe(
      'Your secret is blue-42.',
    )
    const cleared = await alice.conversations.clear(id)
    expect(cleared).toMatchObject({ conversation_id: id, id: expect.not.stringMatching(id) })
    expect(streamed(await askBot(alice, 'what is my secret?', { conversation_id: id }))).toBe(
      'I do not know your secret.',
    )
    expect((await alice.conversations.retrieve(id)).last_section_id).toBe(cleared.id)
    expect((await alice.conversations.messages.list(id)).data).toHaveLength(6)
  })

  it('keeps two session names apart', async () => {
    const [alice, bob] = [await signIn('alice-b'), await signIn('bob-b')]
    const mine = await alice.conversations.create({ bot_id })
    const chat = created(await askBot(alice, 'my secret is blue-42', { conversation_id: mine.id }))
    expect(streamed(await askBot(alice, 'what is my secret?', { conversation_id: mine.id }))).toBe(
      'Your secret is blue-42.',
    )
    await expect(
      failure(askBot(bob, 'what is my secret?', { conversation_id: mine.id })),
    ).resolves.toMatchObject({
      code: 4002,
    })
    expect((await alice.chat.retrieve(mine.id, chat.id)).id).toBe(chat.id)
    await expect(bob.chat.retrieve(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.chat.messages.list(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.chat.cancel(mine.id, chat.id)).rejects.toMatchObject({ code: 4002 })
    await expect(bob.conversations.clear(mine.id)).rejects.toMatchObject({ code: 4002 })
    expect((await alice.conversations.list({ bot_id })).conversations).toHaveLength(1)
    expect((await bob.conversations.list({ bot_id })).conversations).toEqual([])
  })

  it('refuses a second chat while one runs, until it is cancelled (F17)', async () => {
    const alice = await signIn('alice-busy')
    const { id } = await alice.conversations.create({ bot_id })
    await emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 2 })
    const held = askBot(alice, 'my secret is blue-42', { conversation_id: id })
    await emulator.until({ held: 'pause' })
    await expect(failure(askBot(alice, 'hi', { conversation_id: id }))).resolves.toMatchObject({
      code: 4016,
    })

    const chatId = (await emulator.state()).chats.find((chat) => chat.conversationId === id)?.id
    const canceled = await alice.chat.cancel(id, chatId ?? '')
    expect(canceled.status).toBe('canceled')
    await expect(alice.chat.cancel(id, chatId ?? '')).rejects.toMatchObject({ code: 4104 })
    // The cancelled chat is no context any more.
    expect(streamed(await askBot(alice, 'what is my secret?', { conversation_id: id }))).toBe(
      'I do not know your secret.',
    )
    await emulator.release()
    const events = await held
    expect(streamed(events)).toBe('You said: my secret is blue-42')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.canceled', 'done'])
  })

  it('runs on when the client leaves, so that the answer can be fetched', async () => {
    const alice = await signIn('alice-leaves')
    const { id } = await alice.conversations.create({ bot_id })
    await emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 2 })
    const leave = new AbortController()
    const reading = (async () => {
      const stream = alice.chat.stream(
        { bot_id, user_id: 'u', conversation_id: id, additional_messages: [user('stay with me')] },
        { signal: leave.signal },
      )
      for await (const _event of stream);
    })()
    await emulator.until({ held: 'pause' })
    leave.abort()
    await reading
    await emulator.release()
    const state = await emulator.state()
    const chatId = state.chats.find((chat) => chat.conversationId === id)?.id ?? ''
    let { status } = await alice.chat.retrieve(id, chatId)
    while (status === 'in_progress') ({ status } = await alice.chat.retrieve(id, chatId))
    expect(status).toBe('completed')
    const [answer] = await alice.chat.messages.list(id, chatId)
    expect(answer?.content).toBe('You said: stay with me')
  })

  it('asks for a tool', async () => {
    const events = await askBot(await signIn('alice'), '/tool weather')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
    expect(events.at(-2)?.data).toMatchObject({
      required_action: {
        type: 'submit_tool_outputs',
        submit_tool_outputs: { tool_calls: [{ type: 'function', function: { name: 'weather' } }] },
      },
    })
  })

  it.each([
    ['an unknown bot', { bot_id: 'x' }, 4006],
    ['an unpublished bot', { bot_id: 'unpublished' }, 4015],
    ['meta data over the limit', { meta_data: { k: 'x'.repeat(513) } }, 4003],
    ['101 messages', { additional_messages: Array.from({ length: 101 }, () => user('x')) }, 4004],
    ['unsaved history without a stream', { auto_save_history: false }, 4007],
    ['no question', { additional_messages: [] }, 4000],
    [
      "a question that is not the user's",
      {
        additional_messages: [
          { ...user('a'), role: RoleType.Assistant, type: 'question' as const },
          user('b'),
        ],
      },
      4000,
    ],
    [
      "a tool's output in a chat that is saved",
      {
        additional_messages: [
          { ...user('a'), role: RoleType.Assistant, type: 'tool_output' as const },
          user('b'),
        ],
      },
      4000,
    ],
  ])('refuses %s', async (_name, changes, code) => {
    const alice = await signIn('alice')
    const params = { bot_id, user_id: 'u', additional_messages: [user('hi')], ...changes }
    await expect(alice.chat.create(params)).rejects.toMatchObject({ code })
  })
})

describe("a Bot's tool call", () => {
  async function openCall(text = '/tool weather,time {"of":"Rome"}') {
    const coze = await signIn('alice')
    const { id: chat_id, conversation_id } = created(await askBot(coze, text))
    const chat = await coze.chat.retrieve(conversation_id, chat_id)
    const calls = chat.required_action?.submit_tool_outputs.tool_calls ?? []
    const submit = (stream: boolean, outputs: readonly string[]) =>
      coze.chat.submitToolOutputs({
        conversation_id,
        chat_id,
        stream,
        tool_outputs: outputs.map((output, at) => ({
          tool_call_id: calls[at]?.id ?? 'unknown',
          output,
        })),
      })
    return { coze, chat, chat_id, conversation_id, calls, submit }
  }

  it('is answered by its outputs, and the same chat goes on', async () => {
    const { coze, chat, chat_id, conversation_id, calls, submit } = await openCall()
    expect(chat.status).toBe('requires_action')
    expect(calls).toMatchObject([
      { type: 'function', function: { name: 'weather', arguments: '{"of":"Rome"}' } },
      { type: 'function', function: { name: 'time' } },
    ])
    const events = await collect(submit(true, ['sunny', 'noon']))
    expect(names(events)).toEqual([
      'conversation.chat.in_progress',
      'conversation.message.completed',
      'conversation.message.delta',
      'conversation.message.completed',
      'conversation.chat.completed',
      'done',
    ])
    expect(created(events)).toMatchObject({ id: chat_id, conversation_id })
    expect(streamed(events)).toBe('weather said: sunny\ntime said: noon')
    expect(completed(events, 'tool_response')).toEqual(['sunny', 'noon'])
    expect(await coze.chat.retrieve(conversation_id, chat_id)).toMatchObject({
      status: 'completed',
    })
  })

  it('may be followed by another', async () => {
    const { submit } = await openCall('/tool weather')
    const events = await collect(submit(true, ['/tool time']))
    expect(names(events).slice(-2)).toEqual(['conversation.chat.requires_action', 'done'])
  })

  it('is refused for other outputs than it asked for, and once it is answered', async () => {
    const { coze, chat_id, conversation_id, submit } = await openCall()
    expect(await failure(collect(submit(true, ['sunny'])))).toMatchObject({ code: 4000 })
    expect(await failure(collect(submit(true, ['a', 'b', 'c'])))).toMatchObject({ code: 4000 })
    await collect(submit(true, ['sunny', 'noon']))
    expect(await failure(collect(submit(true, ['sunny', 'noon'])))).toMatchObject({ code: 4000 })
    const missing = coze.chat.submitToolOutputs({
      conversation_id,
      chat_id: '1',
      stream: true,
      tool_outputs: [{ tool_call_id: 'x', output: 'x' }],
    })
    expect(await failure(collect(missing))).toMatchObject({ code: 4001 })
    const mallory = await signIn('mallory')
    await expect(mallory.chat.retrieve(conversation_id, chat_id)).rejects.toMatchObject({
      code: 4002,
    })
  })

  it('can be cancelled', async () => {
    const { coze, chat_id, conversation_id } = await openCall()
    const cancelled = await coze.chat.cancel(conversation_id, chat_id)
    expect(cancelled).toMatchObject({ status: 'canceled' })
    expect(cancelled.required_action).toBeUndefined()
  })

  it('may be a question to the user', async () => {
    const { calls, submit } = await openCall('/ask Tea or coffee?')
    expect(calls).toMatchObject([{ type: 'reply_message' }])
    expect(streamed(await collect(submit(true, ['tea'])))).toBe(
      'You answered "Tea or coffee?" with: tea',
    )
  })
})

describe("a Bot's own plugins and notes", () => {
  it('show as messages before the answer, and wait for nobody', async () => {
    const coze = await signIn('alice-plugins')
    const text = '/verbose knowledge_recall\n/plugin weather {"of":"Rome"}\n/say sunny'
    const events = await askBot(coze, text)
    expect(completed(events, 'verbose')[0]).toContain('"msg_type":"knowledge_recall"')
    const [call = ''] = completed(events, 'function_call')
    expect(JSON.parse(call)).toMatchObject({
      name: 'weather',
      arguments: { of: 'Rome' },
      plugin_name: 'weather',
    })
    expect(completed(events, 'tool_response')).toEqual(['{"result":"weather is done"}'])
    expect(streamed(events)).toBe('sunny')
    expect(names(events).slice(-2)).toEqual(['conversation.chat.completed', 'done'])
  })

  it('are not seen in a Workflow', async () => {
    const events = await askWorkflow(await signIn('alice-nodes'), '/plugin weather\n/say sunny')
    expect(completed(events, 'function_call')).toEqual([])
    expect(streamed(events)).toBe('sunny')
  })
})

describe('cards and speech', () => {
  const contents = async (text: string) => {
    const events = await askWorkflow(await signIn(text), text)
    expect(names(events)).not.toContain('conversation.message.delta')
    return JSON.parse(completed(events)[0] ?? '') as { x_properties: Record<string, string> }
  }

  it("are a Workflow's question with options and its input form", async () => {
    const question = await contents('/choose Which? | tea | coffee')
    expect(JSON.parse(question.x_properties['workflow_card_info'] ?? '')).toEqual({
      card_type: 'QUESTION',
      question_card_data: { Title: 'Which?', Options: [{ name: 'tea' }, { name: 'coffee' }] },
    })
    const form = await contents('/form Where? | street:string!')
    expect(JSON.parse(form.x_properties['workflow_card_info'] ?? '')).toEqual({
      card_type: 'INPUT',
      input_card_data: [{ name: 'street', type: 'string', required: true }],
    })
  })

  it('are text where there are no cards', async () => {
    const coze = await signIn('alice')
    const plain = await askBot(coze, '/choose Which? | tea | coffee')
    expect(streamed(plain)).toBe('Which?\n- tea\n- coffee')
    const card = await askBot(coze, '/choose Which? | tea', { enable_card: true })
    expect(completed(card)[0]).toContain('QUESTION')
  })

  it('may come beside the answer, speech after its end', async () => {
    const events = await askBot(await signIn('alice'), '/card look\n/object this\n/audio hello')
    expect(completed(events)[0]).toContain('"response_type":"card"')
    expect(completed(events)[1]).toContain('"type":"image"')
    expect(names(events).slice(-4)).toEqual([
      'conversation.audio.delta',
      'conversation.chat.completed',
      'conversation.audio.delta',
      'done',
    ])
  })
})
