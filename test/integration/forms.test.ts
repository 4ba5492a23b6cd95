import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSystem, type System } from '../kit/process/system.ts'
import { platforms } from '../kit/process/platforms.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'

describe.each(platforms)('a form on %s', (platform, options) => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem(options)
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it.each([
    ['JSON', '{"city":"Bern","day":"Monday"}'],
    ['lines', 'city: Bern\nday: Monday'],
  ])('is answered by %s', async (how, answer) => {
    const who = system.person(how)
    const asked = await talk.say(who, { text: '/form Where? | city:string! | day:string!' })
    expect(asked).toMatchObject({ question: { fields: [{ name: 'city' }, { name: 'day' }] } })
    expect(await talk.say(who, answer)).toMatchObject({ __typename: 'ReplyCompleted' })
    const { chats } = await system.emulator.state()
    const sent = JSON.stringify(chats.at(-1)?.request)
    const lines = JSON.stringify('city:Bern\nday:Monday')
    expect(sent).toContain(platform === 'Studio' ? lines : JSON.stringify(answer))
    // A message that answers no form stays as it is.
    await talk.say(who, '{"city":"Bern"}')
    const after = (await system.emulator.state()).chats.at(-1)?.request
    expect(JSON.stringify(after)).toContain(JSON.stringify('{"city":"Bern"}'))
  })
})
