import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { callJson } from '../../../src/coze/json-call.ts'
import type { WireRequest } from '../../../src/coze/wire.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const request: WireRequest = {
  origin: 'https://api.example',
  path: '/v1/conversation/create',
  method: 'POST',
  headers: {},
  body: '{}',
  connection: 'kept-alive',
}

/** A call whose answer has come whole, and the turns that it has asked for. */
function answered(text: string) {
  const asked: { readonly units: number; go(): void }[] = []
  const answer = callJson(
    request,
    {
      send: (_request, sink) => {
        queueMicrotask(() => {
          sink.onSent(false)
          sink.onHead(200, { 'content-type': 'application/json' })
          sink.onData(Buffer.from(text))
          sink.onEnd()
        })
        return { abort: () => undefined, pause: () => undefined, resume: () => undefined }
      },
      clock: createFakeClock(),
      connectMs: 1_000,
      callMs: 1_000,
      silenceMs: undefined,
      maxBytes: 1_000_000,
      turns: { take: (units) => new Promise((go) => void asked.push({ units, go })) },
    },
    new AbortController().signal,
  )
  return { answer, asked }
}

it('a long JSON answer is not read before its turn, so that many at once hold nobody up', async () => {
  const text = JSON.stringify({ code: 0, data: 'x'.repeat(500_000) })
  const { answer, asked } = answered(text)
  let isRead = false
  void answer.then(() => (isRead = true))
  for (let turn = 0; turn < 10; turn += 1) await nextTurn()
  expect([isRead, asked.map(({ units }) => units)]).toEqual([false, [text.length]])
  asked[0]?.go()
  expect((await answer).body['data']).toHaveLength(500_000)
})

it('a short JSON answer waits for no turn', async () => {
  const { answer, asked } = answered('{"code":0,"data":"short"}')
  expect([(await answer).body['data'], asked]).toEqual(['short', []])
})
