import { describe, expect, it } from 'vitest'
import type { CozeClient } from '../../../src/coze/client.ts'
import { CozeError } from '../../../src/coze/errors.ts'
import type { TokenResolver } from '../../../src/coze/token.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createOpeningReader } from '../../../src/strategy/opening.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'
import { randomId } from '../../kit/fakes/ids.ts'
import { stub } from '../coze/stub-client.ts'

const tokens: TokenResolver = {
  token: async (sessionName) => ({
    sessionName,
    target: { baseUrl: 'https://a', token: new Secret('t') },
  }),
  drop: () => false,
  async [Symbol.asyncDispose]() {},
}
const tenMinutes = 600_000
const unavailable = () => new CozeError('unavailable', 'nobody answers', { accepted: 'no' })

/** A reader of a platform that answers each call as the test says. */
function openReader() {
  const clock = createFakeClock()
  const calls: PromiseWithResolvers<Readonly<Record<string, unknown>>>[] = []
  const client: CozeClient = {
    ...stub().client,
    async request({ read }) {
      const call = Promise.withResolvers<Readonly<Record<string, unknown>>>()
      calls.push(call)
      const body = { data: { onboarding_info: await call.promise } }
      return read({ body, logId: undefined, serverTime: undefined })
    },
  }
  const reader = createOpeningReader({ client, tokens, botId: 'bot-1', clock, newId: randomId })
  /** Of the call that was made last, once it was made. */
  async function lastCall() {
    await clock.pass(0)
    const call = calls.at(-1)
    if (call === undefined) throw new Error('nothing was asked')
    return call
  }
  return { clock, calls, reader, lastCall }
}

const hello = { greeting: 'Hello.', suggestions: ['Who are you?'] }
const published = { prologue: 'Hello.', suggested_questions: ['Who are you?'] }

describe("a Bot's opening", () => {
  it.each([
    ['as it is documented', published, hello],
    [
      'as the documentation shows it',
      { Prologue: 'Hello.', SuggestedQuestions: ['Who are you?'] },
      hello,
    ],
    ['without suggestions', { prologue: 'Hello.' }, { greeting: 'Hello.', suggestions: [] }],
    ['that is empty', { prologue: '', suggested_questions: [''] }, none()],
    ['of another shape', { prologue: 7, suggested_questions: 'x' }, none()],
    ['that is none', null, none()],
  ])('is read %s', async (_what, info, opening) => {
    const { client, asked } = stub({ data: { onboarding_info: info } })
    const clock = createFakeClock()
    await using reader = createOpeningReader({
      client,
      tokens,
      botId: 'b/1',
      clock,
      newId: randomId,
    })
    expect(await reader.read()).toEqual(opening)
    expect(asked).toEqual([
      { method: 'GET', path: '/v1/bots/b%2F1', query: { is_published: 'true' } },
    ])
  })

  it('is asked for once at a time, and not again before ten minutes have passed', async () => {
    const { clock, calls, reader, lastCall } = openReader()
    await using _reader = reader
    const reading = Promise.all([reader.read(), reader.read()])
    ;(await lastCall()).resolve(published)
    expect(await reading).toEqual([hello, hello])
    clock.advance(tenMinutes - 1)
    await reader.read()
    expect(calls).toHaveLength(1)
    clock.advance(1)
    expect(await reader.read()).toEqual(hello)
    ;(await lastCall()).resolve({ prologue: 'Good day.' })
    expect(calls).toHaveLength(2)
    await clock.pass(0)
    expect(await reader.read()).toEqual({ greeting: 'Good day.', suggestions: [] })
  })

  it('stays as it was where the platform does not answer', async () => {
    const { clock, reader, lastCall } = openReader()
    await using _reader = reader
    const reading = reader.read()
    ;(await lastCall()).resolve(published)
    await reading
    clock.advance(tenMinutes)
    await reader.read()
    ;(await lastCall()).reject(unavailable())
    await clock.pass(0)
    expect(await reader.read()).toEqual(hello)
  })

  it('is waited for three seconds at first, and told once it is known', async () => {
    const { clock, reader, lastCall } = openReader()
    await using _reader = reader
    const reading = reader.read()
    const call = await lastCall()
    await clock.pass(3_000)
    expect(await reading).toEqual(none())
    call.resolve(published)
    await clock.pass(0)
    expect(await reader.read()).toEqual(hello)
  })

  it('holds no more than a bounded text', async () => {
    const info = { prologue: 'x'.repeat(20_000), suggested_questions: Array(50).fill('y') }
    const { client } = stub({ data: { onboarding_info: info } })
    const clock = createFakeClock()
    await using reader = createOpeningReader({ client, tokens, botId: 'b', clock, newId: randomId })
    const { greeting, suggestions } = await reader.read()
    expect([greeting?.length, suggestions.length]).toEqual([10_000, 20])
  })
})

function none() {
  return { greeting: null, suggestions: [] }
}
