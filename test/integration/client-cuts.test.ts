import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ChatClient,
  type ChatClientOptions,
  createChatClient,
  fetchTransport,
  miniProgramTransport,
  type ReplyEvent,
  type ReplyState,
  webSocketTransport,
} from '../../src/client/client.ts'
import { stateAfter } from '../../src/client/reply.ts'
import { type MiniProgramKind, openMiniProgram } from '../kit/clients/mini-program.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createRandom } from '../kit/random.ts'

const cuts = 50
const words = 2_400
/** Characters of one to four bytes, so that a cut or a chunk may end within one, and numbers, so that a gap shows. */
const nouns = ['river', 'señal', '灯', '👩‍🚀']
const answer = Array.from({ length: words }, (_, at) => `${nouns[at % nouns.length]}${at}`).join(
  ' ',
)

const transports = {
  fetch: () => fetchTransport(),
  WebSocket: () => webSocketTransport(),
}
const kinds: readonly MiniProgramKind[] = ['wx', 'uni', 'Taro']

describe('a reply whose connection is cut 50 times', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  /** Follows a long reply through a network that cuts each connection after some bytes. */
  async function follow(open: (options: Omit<ChatClientOptions, 'transport'>) => ChatClient) {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = createRandom(seed)
    let connections = 0
    await using proxy = await openCuttingProxy(
      () => {
        connections += 1
        // The first ones carry the message, which is repeated in the response.
        if (connections <= 3) return random.between(70_000, 90_000)
        return proxy.cuts < cuts ? random.between(500, 9_000) : Infinity
      },
      () => random.chance(0.5),
    )
    proxy.forwardTo(system.gateway.url)
    const { token } = system.person(`reader ${seed}`)
    const options = { token: () => token, maxAttempts: 30 }
    const chat = open({ url: `${proxy.url}/graphql`, ...options })
    const direct = createChatClient({
      url: `${system.gateway.url}/graphql`,
      transport: fetchTransport(),
      ...options,
    })
    try {
      const reply = await chat.send(`/speed 200 /say ${answer}`, { assistantId: 'bot' })
      const texts: string[] = []
      for await (const text of reply.text) texts.push(text)
      const events: ReplyEvent[] = []
      for await (const event of reply.events) events.push(event)
      const done = await reply.done
      const stored = await (await direct.follow(reply.id)).done
      return { seed, cuts: proxy.cuts, texts, events, done, stored }
    } finally {
      chat.close()
      direct.close()
    }
  }

  function expectWhole({ seed, cuts: made, texts, events, done, stored }: Followed) {
    expect(made, `seed ${seed}`).toBeGreaterThanOrEqual(cuts)
    expect(stored.text).toBe(answer)
    expect(done.text, `seed ${seed}`).toBe(answer)
    // The text only grows: nothing was doubled, and nothing jumped.
    for (const [at, text] of texts.entries()) {
      expect(text.startsWith(texts[at - 1] ?? ''), `seed ${seed}, text ${at}`).toBe(true)
    }
    // The events alone make the same text, each was seen once, and there is one end.
    const applied = events
      .slice(0, -1)
      .reduce(stateAfter, { ...stored, text: '', status: 'QUEUED' } as ReplyState)
    expect(applied.text).toBe(answer)
    const cursors = events.map(({ cursor }) => cursor)
    expect(new Set(cursors).size).toBe(cursors.length)
    const names = events.map(({ __typename }) => __typename)
    expect(names.filter((name) => name !== 'ReplyDelta')).toEqual([
      'ReplyStarted',
      'ReplyCompleted',
    ])
  }
  type Followed = Awaited<ReturnType<typeof follow>>

  it.each(Object.entries(transports))('is shown whole over %s', async (_, transport) => {
    expectWhole(await follow((options) => createChatClient({ ...options, transport: transport() })))
  })

  it.each(kinds)('is shown whole in a mini-program with %s, over one stream', async (kind) => {
    using program = await openMiniProgram({ kind })
    const createInRealm = program.evaluate(
      `(options) => client.createChatClient({ ...options, transport: client.miniProgramTransport(${kind}) })`,
    ) as (options: Omit<ChatClientOptions, 'transport'>) => ChatClient
    expectWhole(await follow(createInRealm))
    expect(program.mostStreams).toBe(1)
  })

  it('goes on after the limit on the time of a request of mini-programs', async () => {
    using program = await openMiniProgram({ kind: 'wx', timeoutMs: 700 })
    const { token } = system.person('limited')
    const chat = createChatClient({
      url: `${system.gateway.url}/graphql`,
      token: () => token,
      transport: miniProgramTransport(program.api),
    })
    const reply = await chat.send(`/speed 500 /say ${answer}`, { assistantId: 'bot' })
    expect((await reply.done).text).toBe(answer)
    chat.close()
  })
})
