import { describe, expect, it } from 'vitest'
import { createEmulator } from '../../../src/emulator/emulator.ts'
import type { EmulatorOptions, Leak } from '../../../src/emulator/options.ts'
import { createTestApp, publicPart } from '../../kit/process/emulator.ts'
import {
  app_id,
  bot_id,
  collect,
  created,
  signInTo,
  streamed,
  user,
  workflow_id,
} from '../../kit/clients/sdk.ts'

const app = createTestApp()

/** An emulator whose model keeps what it is told in every way it has. */
async function open(leaks: readonly Leak[], more: Partial<EmulatorOptions> = {}) {
  const emulator = createEmulator({
    apps: [publicPart(app)],
    workflows: [{ workflowId: workflow_id, appId: app_id }],
    bots: [{ botId: bot_id }],
    wordsPerSecond: 0,
    remembers: { variables: true, longTermMemory: true },
    knowledge: [{ sessionName: 'alice', name: 'account', value: 'A-1' }],
    leaks: Object.fromEntries(leaks.map((leak) => [leak, true])),
    ...more,
  })
  const { url } = await emulator.listen()
  async function signIn(sessionName: string) {
    const coze = await signInTo({ url }, app, sessionName)
    const messages = (text: string) => ({ additional_messages: [user(text)] })
    return {
      coze,
      /** In the app, in a conversation of this name. */
      flow: async (text: string, name = sessionName, more: object = {}) =>
        collect(
          coze.workflows.chat.stream({
            workflow_id,
            app_id,
            ext: { user_id: sessionName },
            parameters: { CONVERSATION_NAME: name, SESSION_NAME: sessionName },
            ...messages(text),
            ...more,
          }),
        ),
      bot: async (text: string, more: object = {}) =>
        collect(
          coze.chat.stream({
            bot_id,
            user_id: sessionName,
            custom_variables: { SESSION_NAME: sessionName },
            ...messages(text),
            ...more,
          }),
        ),
    }
  }
  const [alice, bob] = [await signIn('alice'), await signIn('bob')]
  return { emulator, alice, bob, [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose]() }
}

const plant = 'my secret is plum'
const ask = 'what is my secret?'
const unknown = 'I do not know your secret.'
const leaked = 'Your secret is plum.'

describe('without leaks', () => {
  it('everybody is alone, and recalls what was said, in other conversations too', async () => {
    await using system = await open([])
    const { alice, bob } = system
    await alice.flow(plant)
    expect(streamed(await alice.flow(ask, 'another'))).toBe(leaked)
    expect(streamed(await bob.flow(ask))).toBe(unknown)
    await alice.bot(plant)
    expect(streamed(await alice.bot(ask))).toBe(leaked)
    expect(streamed(await bob.bot(ask))).toBe(unknown)
    expect(streamed(await alice.flow('what is my account?'))).toBe('Your account is A-1.')
    expect(streamed(await bob.flow('what is my account?'))).toBe('I do not know your account.')
  })
})

const context = { remembers: { variables: false, longTermMemory: false } }

describe('a leak', () => {
  it('staticConversation: an app has one conversation for all', async () => {
    await using system = await open(['staticConversation'], context)
    const told = await system.alice.flow(plant)
    const asked = await system.bob.flow(ask)
    expect(streamed(asked)).toBe(leaked)
    expect(created(asked).conversation_id).toBe(created(told).conversation_id)
    await system.alice.bot(plant)
    expect(streamed(await system.bob.bot(ask))).toBe(unknown)
  })

  it('sharedName: whoever names the same conversation is in it', async () => {
    await using system = await open(['sharedName'], context)
    await system.alice.flow(plant, 'Default')
    expect(streamed(await system.bob.flow(ask, 'Default'))).toBe(leaked)
    expect(streamed(await system.bob.flow(ask, 'of my own'))).toBe(unknown)
  })

  it('foreignConversations: an id is enough', async () => {
    await using system = await open(['foreignConversations'], context)
    const { conversation_id } = created(await system.alice.bot(plant))
    expect(streamed(await system.bob.bot(ask, { conversation_id }))).toBe(leaked)
    expect(streamed(await system.bob.bot(ask))).toBe(unknown)
  })

  it("sharedQuestion: one answers another's question", async () => {
    await using system = await open(['sharedQuestion'], context)
    await system.alice.flow('/ask Which one?')
    expect(streamed(await system.bob.flow('red'))).toBe('You answered "Which one?" with: red')
  })

  it.each([
    ['sharedVariables', { variables: true }],
    ['sharedMemory', { longTermMemory: true }],
  ] as const)('%s: what one tells, all recall', async (leak, remembers) => {
    await using system = await open([leak], { remembers })
    await system.alice.flow(plant)
    expect(streamed(await system.bob.flow(ask))).toBe(leaked)
    await system.alice.bot('my colour is red')
    expect(streamed(await system.bob.bot('what is my colour?'))).toBe('Your colour is red.')
  })

  it('unfilteredKnowledge: facts of one are told to all', async () => {
    await using system = await open(['unfilteredKnowledge'])
    expect(streamed(await system.bob.flow('what is my account?'))).toBe('Your account is A-1.')
    expect(streamed(await system.bob.bot('what is my account?'))).toBe('Your account is A-1.')
  })
})

describe('a model', () => {
  it.each([
    ['forgetful', unknown],
    ['refusing', 'I am not allowed to tell you that.'],
    ['chatty', `${leaked} By the way: code K7-PLUM-42, secret ZX-99-ORBIT.`],
  ] as const)('that is %s answers so', async (model, answer) => {
    await using system = await open([], { model })
    await system.alice.flow(plant)
    expect(streamed(await system.alice.flow(ask))).toBe(answer)
  })
})
