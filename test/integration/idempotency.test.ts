import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'

describe('P5: one message per idempotency key, one upstream chat per message', () => {
  let system: System
  let talk: Talk
  beforeAll(async () => {
    system = await startSystem()
    talk = createTalk(system)
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('F39: answers parallel and later sends with the same key by the same reply', async () => {
    const alice = system.person('alice')
    const input = { text: 'only once', idempotencyKey: 'key-1' }
    const sends = Array.from({ length: 20 }, () => talk.send(alice, input))
    const ids = new Set((await Promise.all(sends)).map((reply) => reply.id))
    expect(ids.size).toBe(1)
    const [id = ''] = ids
    expect(await talk.ending(alice, id)).toMatchObject({ text: 'You said: only once' })
    expect((await talk.send(alice, input)).id).toBe(id)
  })

  it('F39: does so after a restart', async () => {
    const alice = system.person('alice again')
    const input = { text: 'only once in two lives', idempotencyKey: 'key-2' }
    const { id } = await talk.send(alice, input)
    await talk.ending(alice, id)
    await system.gateway.kill('SIGKILL')
    talk.recorder.add({ type: 'crash' })
    await system.gateway.restart()
    expect((await talk.send(alice, input)).id).toBe(id)
  })

  it('refuses a key that comes back with another input', async () => {
    const alice = system.person('alice changes')
    const input = { text: 'as it was', idempotencyKey: 'key-3' }
    await talk.send(alice, input)
    for (const changed of [{ text: 'otherwise' }, { assistantId: 'bot' }, { onBusy: 'REJECT' }]) {
      expect(await talk.trySend(alice, { ...input, ...changed } as typeof input)).toMatchObject({
        code: 'IDEMPOTENCY_MISMATCH',
      })
    }
  })

  it('T3: keeps the keys of sessions apart', async () => {
    const [alice, bob] = [system.person('key of alice'), system.person('key of bob')]
    const input = { text: 'the same words', idempotencyKey: 'key-4' }
    const [first, second] = [await talk.send(alice, input), await talk.send(bob, input)]
    expect(first.id).not.toBe(second.id)
    expect(await talk.snapshot(bob, first.id)).toBeUndefined()
  })

  it('does not keep a refusal', async () => {
    const alice = system.person('alice corrects herself')
    expect(
      await talk.trySend(alice, { text: 'x', idempotencyKey: 'key-5', assistantId: 'nobody' }),
    ).toMatchObject({ code: 'NOT_FOUND' })
    expect(await talk.trySend(alice, { text: ' ', idempotencyKey: 'key-5' })).toMatchObject({
      code: 'INVALID_INPUT',
    })
    expect(await talk.say(alice, { text: 'better', idempotencyKey: 'key-5' })).toMatchObject({
      __typename: 'ReplyCompleted',
    })
  })

  it('F9: does not send a message again whose answer was lost', async () => {
    for (const [assistantId, path] of [
      ['flow', '/v1/workflows/chat'],
      ['bot', '/v3/chat'],
    ] as const) {
      const alice = system.person(`lost answer of ${assistantId}`)
      await system.emulator.faults(path, { kind: 'lostReply' })
      const text = `is anybody there, ${assistantId}?`
      const end = await talk.say(alice, { text, assistantId })
      expect(['ReplyFailed', 'ReplyCompleted']).toContain(end.__typename)
      if (end.__typename === 'ReplyFailed')
        expect(end.failure.code).toBe('UPSTREAM_OUTCOME_UNKNOWN')
    }
  })

  it('holds for all that was said here', async () => {
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
    const counts = talk.recorder.history.flatMap((step) =>
      step.type === 'chats' ? [step.count] : [],
    )
    expect(counts.length).toBeGreaterThan(5)
    expect(counts.every((count) => count <= 1)).toBe(true)
  })
})
