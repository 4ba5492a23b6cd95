import { describe, expect, it, vi } from 'vitest'
import type { ReplyEventBody, ReplyId } from '../../src/domain.ts'
import { message } from '../kit/fakes/engine.ts'
import { type FakeGateway, openFakeGateway } from '../kit/fakes/gateway.ts'
import { completed } from '../kit/fakes/stored-replies.ts'

const replyId = 'r0' as ReplyId
const query = 'subscription { replies { cursor ... on ReplyDelta { offset text } __typename } }'
const { SOAK } = process.env
/** The soak has as many as one process is meant to bear. */
const [readers, stalled] = SOAK ? [10_000, 1_000] : [1_000, 100]

const delta = (offset: number, text: string): ReplyEventBody => ({
  type: 'delta',
  kind: 'ANSWER',
  offset,
  text,
})

async function open() {
  const gateway = await openFakeGateway({ limits: { maxSubscriptions: 20_000 } })
  for (const name of ['alice', 'bob']) {
    await gateway.session(name).replies.sendMessage(message('hello'))
  }
  return gateway
}

/** A reader of all that happens to a session, who has the first comment. */
async function listen({ server }: FakeGateway, name: string) {
  const response = await server.fetch(
    new Request('http://gateway/graphql', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${name}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
      },
      body: JSON.stringify({ query }),
    }),
  )
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) throw new Error('the answer has no body')
  let received = ''
  return {
    /** All text of deltas, once `last` has come. */
    async text(last = 'ReplyCompleted') {
      while (!received.includes(last)) received += (await reader.read()).value ?? ''
      let text = ''
      for (const [, offset, piece] of received.matchAll(/"offset":(\d+),"text":"([^"]*)"/g)) {
        text = text.slice(0, Number(offset)) + piece
      }
      return text
    },
    leave: () => reader.cancel(),
  }
}

describe('an event with many readers', () => {
  it('is made into text once for all readers of its session, and never for those of another', async () => {
    await using gateway = await open()
    const alice = await Promise.all(Array.from({ length: 50 }, () => listen(gateway, 'alice')))
    const bob = await listen(gateway, 'bob')
    using stringify = vi.spyOn(JSON, 'stringify')
    const text = 'the text of both'
    for (const [name, their] of [
      ['alice', alice],
      ['bob', [bob]],
    ] as const) {
      gateway.session(name).append(replyId, delta(0, text))
      for (const reader of their) expect(await reader.text(text)).toBe(text)
    }
    expect(stringify.mock.calls.filter(([value]) => value === text)).toHaveLength(2)
    for (const reader of [...alice, bob]) await reader.leave()
  })

  it(`F36: reaches ${readers} readers of one session whole, though ${stalled} of them read nothing`, async () => {
    await using gateway = await open()
    const all = await Promise.all(Array.from({ length: readers }, () => listen(gateway, 'alice')))
    const reading = all.slice(stalled)
    const pieces = Array.from({ length: 40 }, (_, n) => `piece ${n} `)
    let offset = 0
    const texts = reading.map((reader) => reader.text())
    for (const piece of pieces) {
      gateway.session('alice').append(replyId, delta(offset, piece))
      offset += piece.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    gateway.session('alice').append(replyId, completed(pieces.join('')))
    expect(new Set(await Promise.all(texts))).toEqual(new Set([pieces.join('')]))
    for (const reader of all) await reader.leave()
  })
})
