import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createReply, stateAfter } from '../../../src/client/reply.ts'
import type { ReplyEvent, ReplyState } from '../../../src/client/schema.ts'
import { accepted, completed, delta, started } from '../../kit/fakes/chat-gateway.ts'

const actions = {
  cancel: () => Promise.reject(new Error('not asked')),
  submitToolOutputs: () => Promise.reject(new Error('not asked')),
}
const open = (state: ReplyState = accepted('r1')) => createReply(state, 'c0', actions)

describe('a reply', () => {
  it('is not changed by a delta that comes twice', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.string())), (deltas) => {
        let state = accepted('r1', { status: 'RUNNING' })
        for (const [offset, text] of deltas) {
          const event = delta('r1', 'c', Math.min(offset, state.text.length), text)
          state = stateAfter(state, event)
          expect(stateAfter(state, event)).toEqual(state)
        }
      }),
    )
  })

  it('is corrected by a delta at an earlier offset', () => {
    const { reply, take } = open()
    take(delta('r1', 'c1', 0, 'Hello, wurld'))
    take(delta('r1', 'c2', 8, ''))
    expect(reply.state.snapshot().text).toBe('Hello, w')
    take(delta('r1', 'c3', 8, 'orld'))
    expect(reply.state.snapshot().text).toBe('Hello, world')
  })

  it('keeps reasoning apart from the answer', () => {
    const { reply, take } = open()
    take({ ...delta('r1', 'c1', 0, 'Hm.'), kind: 'REASONING' } as ReplyEvent)
    take(delta('r1', 'c2', 0, 'Yes.'))
    expect(reply.state.snapshot()).toMatchObject({ reasoning: 'Hm.', text: 'Yes.' })
  })

  it('waits for tool outputs, and runs again when it goes on', () => {
    const { reply, take } = open()
    const toolCalls = [
      { callId: 't1', kind: 'FUNCTION', name: 'weather', arguments: '{}' },
    ] as const
    const expiresAt = '2026-01-01T00:00:00.000Z'
    take({ __typename: 'ReplyActionRequired', replyId: 'r1', cursor: 'c1', toolCalls, expiresAt })
    expect(reply.state.snapshot()).toMatchObject({ status: 'ACTION_REQUIRED', toolCalls })
    take(delta('r1', 'c2', 0, 'Sunny'))
    expect(reply.state.snapshot()).toMatchObject({ status: 'RUNNING', toolCalls: [] })
  })

  it('rejects with the code of its failure, in `done` and in `text`, and its events end', async () => {
    const { reply, take } = open()
    take(started('r1', 'c1'))
    const failure = { code: 'UPSTREAM_TIMEOUT', message: 'late', retryable: true, retryAfterMs: 9 }
    take({ __typename: 'ReplyFailed', replyId: 'r1', cursor: 'c2', failure } as ReplyEvent)
    const expected = {
      name: 'ChatError',
      code: 'UPSTREAM_TIMEOUT',
      retryable: true,
      retryAfterMs: 9,
    }
    await expect(reply.done).rejects.toMatchObject(expected)
    await expect(Array.fromAsync(reply.text)).rejects.toMatchObject(expected)
    expect((await Array.fromAsync(reply.events)).map(({ cursor }) => cursor)).toEqual(['c1', 'c2'])
  })

  it('resolves when it was cancelled, with the text so far', async () => {
    const { reply, take } = open()
    take(delta('r1', 'c1', 0, 'Hel'))
    take({
      __typename: 'ReplyCancelled',
      replyId: 'r1',
      cursor: 'c2',
      upstreamCancelled: true,
    })
    expect(await reply.done).toMatchObject({ status: 'CANCELLED', text: 'Hel' })
    expect(await Array.fromAsync(reply.text)).toEqual(['Hel'])
  })

  it('takes nothing after its end', async () => {
    const { reply, take } = open()
    take(completed('r1', 'c1', 'Hello'))
    take(delta('r1', 'c2', 0, 'x'))
    expect(await Array.fromAsync(reply.events)).toHaveLength(1)
    expect((await reply.done).text).toBe('Hello')
  })

  it('that had ended before has its text and its end', async () => {
    const { reply, isOpen } = open(accepted('r1', { status: 'COMPLETED', text: 'Hello' }))
    expect(isOpen).toBe(false)
    expect((await Array.fromAsync(reply.events)).map(({ __typename }) => __typename)).toEqual([
      'ReplyDelta',
      'ReplyCompleted',
    ])
    expect(await Array.fromAsync(reply.text)).toEqual(['Hello'])
  })

  it('gives each loop over its text the newest text, and none twice', async () => {
    const { reply, take } = open()
    const shown = Array.fromAsync(reply.text)
    take(delta('r1', 'c1', 0, 'a'))
    take(delta('r1', 'c2', 1, 'b'))
    await Promise.resolve()
    take(completed('r1', 'c3', 'ab'))
    expect((await shown).at(-1)).toBe('ab')
    expect(new Set(await shown).size).toBe((await shown).length)
  })

  it('calls a listener until it has left', () => {
    const { reply, take } = open()
    let calls = 0
    const stop = reply.state.subscribe(() => (calls += 1))
    take(delta('r1', 'c1', 0, 'a'))
    stop()
    take(delta('r1', 'c2', 1, 'b'))
    expect(calls).toBe(1)
  })
})
