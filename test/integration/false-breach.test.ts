import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSystem, type Person, type System, type SystemOptions } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

/** A self-hosted Studio. */
const onStudio = (options: SystemOptions = {}): SystemOptions => ({ dialect: 'studio', ...options })

const breach = 'isolation breach'

/** A system, its talk, and two people on it. */
async function open(options: SystemOptions) {
  const system = await startSystem(options)
  const people = { alice: system.person('alice'), bob: system.person('bob') }
  return {
    system,
    talk: createTalk(system),
    ...people,
    [Symbol.asyncDispose]: () => system[Symbol.asyncDispose](),
  }
}

const completed = (text: string) => ({
  __typename: 'ReplyCompleted',
  text: expect.stringContaining(text),
})

describe('an app of a Studio', () => {
  it.each([
    ['is said to be one', {}],
    ['is taken for the cloud', { platform: 'cloud' }],
  ])('answers the first message, and runs it once, where it %s', async (_, assistants) => {
    await using at = await open(onStudio({ assistants }))
    const { system, talk, alice } = at
    const said = await talk.say(alice, { text: 'my secret is plum', assistantId: 'flow' })
    expect(said).toMatchObject({ __typename: 'ReplyCompleted', contextReset: false })
    const asked = await talk.say(alice, { text: 'what is my secret?', assistantId: 'flow' })
    expect(asked).toMatchObject({ ...completed('plum'), contextReset: false })
    expect((await system.emulator.state()).chats).toHaveLength(2)
  })

  it('that is taken for the cloud is found out at the start, without a message', async () => {
    await using at = await open(
      onStudio({ assistants: { platform: 'cloud' }, probe: { checkAtStart: true } }),
    )
    const { system } = at
    await until(() => system.gateway.output.includes('"assistant":"bot"'), 'the look to end')
    expect(system.gateway.output).toContain('CONVERSATION_NAME: an unguessable name')
    expect(system.gateway.output).toContain('Set \\"platform\\" to \\"studio\\"')
    expect((await system.emulator.state()).chats).toEqual([])
  })

  it('whose conversations are to be created is told to the operator at the start', async () => {
    await using at = await open(
      onStudio({ workflow: { conversationKeying: 'create' }, probe: { checkAtStart: true } }),
    )
    const { system } = at
    await until(() => system.gateway.output.includes('"assistant":"bot"'), 'the look to end')
    expect(system.gateway.output).toContain('Set \\"conversationKeying\\" to')
  })
})

/** A reply that is under way, and what stops it. */
const stops: Readonly<Record<string, (system: System, talk: Talk, who: Person) => Promise<void>>> =
  {
    async 'a cancel'(system, talk, who) {
      const id = await begin(system, talk, who)
      await talk.cancel(who, id)
      await system.emulator.release()
    },
    async 'a cancel before the first event'(system, talk, who) {
      await system.emulator.faults('/v1/workflows/chat', { kind: 'pause' })
      const { id } = await talk.send(who, { text: 'never mind', assistantId: 'flow' })
      await system.emulator.until({ held: 'pause' })
      await talk.cancel(who, id)
      await system.emulator.release()
    },
    async 'an INTERRUPT'(system, talk, who) {
      await begin(system, talk, who)
      const urgent = { text: 'hello', assistantId: 'flow', onBusy: 'INTERRUPT' } as const
      expect(await talk.say(who, urgent)).toMatchObject({ __typename: 'ReplyCompleted' })
      await system.emulator.release()
    },
    async 'a restart of the platform'(system, talk, who) {
      const id = await begin(system, talk, who)
      await system.emulator.restart()
      expect(await talk.ending(who, id)).toMatchObject({ __typename: 'ReplyFailed' })
    },
    async 'a kill of the gateway'(system, talk, who) {
      const id = await begin(system, talk, who)
      await system.gateway.kill('SIGKILL')
      await system.emulator.release()
      await system.gateway.restart()
      expect(await talk.ending(who, id)).toMatchObject({ __typename: 'ReplyFailed' })
    },
    async 'a conversation that vanished'(system, talk, who) {
      await system.emulator.vanish()
      await talk.say(who, { text: 'hello', assistantId: 'flow' })
    },
    async 'an answer that was lost before its first event'(system, talk, who) {
      await system.emulator.faults('/v1/workflows/chat', { kind: 'lostReply' })
      expect(await talk.say(who, { text: 'hello', assistantId: 'flow' })).toMatchObject({
        failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' },
      })
    },
  }

async function begin(system: System, talk: Talk, who: Person): Promise<string> {
  await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 3 })
  const { id } = await talk.send(who, { text: '/long 30', assistantId: 'flow' })
  await system.emulator.until({ held: 'pause' })
  return id
}

const platforms: readonly (readonly [string, SystemOptions])[] = [
  ['a Studio', onStudio()],
  ['the cloud, by name', { workflow: { conversationKeying: 'name' } }],
]

describe.each(platforms)('T26: what stops a reply on %s', (_, options) => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem(options)
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it.each(Object.entries(stops))(
    '%s is followed by an answer that knows what was said before, and quarantines nobody',
    async (name, stop) => {
      const [alice, bob] = [system.person(`alice of ${name}`), system.person(`bob of ${name}`)]
      await talk.say(alice, { text: 'my secret is plum', assistantId: 'flow' })
      await talk.say(alice, { text: 'and my pet is Rex', assistantId: 'flow' })
      await stop(system, talk, alice)
      const asked = await talk.say(alice, { text: 'what is my secret?', assistantId: 'flow' })
      expect(asked).toMatchObject(completed('plum'))
      expect(await talk.say(bob, { text: 'hello', assistantId: 'flow' })).toMatchObject({
        __typename: 'ReplyCompleted',
      })
      expect(system.gateway.output).not.toContain(breach)
    },
  )
})

describe("T26: a Bot's conversation that vanished from a Studio", () => {
  it('goes on in the new one that the platform opens, says so, is told what was said before, and quarantines nobody', async () => {
    await using at = await open(onStudio())
    const { system, talk, alice, bob } = at
    await talk.say(alice, { text: 'my pet is Rex', assistantId: 'bot' })
    await system.emulator.vanish()
    const after = await talk.say(alice, { text: 'my secret is pear', assistantId: 'bot' })
    expect(after).toMatchObject({ __typename: 'ReplyCompleted', contextReset: true })
    const asked = await talk.say(alice, { text: 'what is my secret?', assistantId: 'bot' })
    expect(asked).toMatchObject({ ...completed('pear'), contextReset: true })
    const older = await talk.say(alice, { text: 'what is my pet?', assistantId: 'bot' })
    expect(older).toMatchObject({ text: 'Your pet is Rex.', contextReset: false })
    expect(await talk.say(bob, { text: 'hello', assistantId: 'bot' })).toMatchObject({
      __typename: 'ReplyCompleted',
    })
    expect(system.gateway.output).not.toContain(breach)
  })
})

describe('T13: a Studio whose app has one conversation for all', () => {
  it('shows nobody what was said there in a run that nobody saw', async () => {
    await using at = await open(onStudio({ emulator: { leaks: { staticConversation: true } } }))
    const { system, talk, alice, bob } = at
    const secret = `plum${randomUUID()}`
    await system.emulator.faults('/v1/workflows/chat', { kind: 'lostReply' })
    expect(
      await talk.say(alice, { text: `my secret is ${secret}`, assistantId: 'flow' }),
    ).toMatchObject({ failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' } })
    const sent = await talk.send(bob, { text: 'what is my secret?', assistantId: 'flow' })
    const events = await talk.listen(bob, sent.id)
    expect(events.at(-1)).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
    expect(JSON.stringify(events)).not.toContain(secret)
  })
})
