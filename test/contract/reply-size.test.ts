import { describe, expect, it } from 'vitest'
import type { Reply, ReplyEvent } from '../../src/domain.ts'
import { runFailures } from '../../src/reply/failures.ts'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import { message, openEngine, readAll, readUntil } from '../kit/fakes/engine.ts'
import { answerOf } from '../kit/fakes/stored-replies.ts'
import { functionCall } from '../kit/fakes/strategy.ts'

/** What a client holds of a reply, and how much text it was sent for that. */
function applyAll(events: readonly ReplyEvent[], reply: Reply) {
  const texts = events.map((event) => (event.type === 'delta' ? event.text : ''))
  return { answer: answerOf(events, { reply }), sent: texts.join('').length }
}

async function openRunning(options: Parameters<typeof openEngine>[0] = {}) {
  const gateway = await openEngine(options)
  const reply = await gateway.replies.sendMessage(message('go'))
  const run = await gateway.strategy.next()
  run.accept()
  return Object.assign(gateway, { reply, run })
}

describe('two answer messages whose deltas alternate', () => {
  it('cost their readers and the log no text twice', async () => {
    await using gateway = await openRunning()
    const { replies, reply, run } = gateway
    const reading = readAll(replies, reply.id)
    for (let n = 0; n < 300; n += 1) {
      run.delta(`left ${n} `, 'a')
      run.delta(`right ${n} `, 'b')
    }
    const { chatId, conversationId } = run
    run.say({ type: 'completed', chatId, conversationId, usage: null })
    const numbers = Array.from({ length: 300 }, (_, n) => n)
    const left = numbers.map((n) => `left ${n} `).join('')
    const right = numbers.map((n) => `right ${n} `).join('')
    const whole = `${left}\n\n${right}`
    const live = await reading
    expect(live.at(-1)).toMatchObject({ type: 'completed', text: whole })
    expect(applyAll(live, reply)).toEqual({ answer: whole, sent: whole.length })
    expect(applyAll(await readAll(replies, reply.id), reply)).toEqual({
      answer: whole,
      sent: whole.length,
    })
  })

  it('are kept both when the run fails before either has ended', async () => {
    await using gateway = await openRunning({ kind: 'workflow' })
    const { replies, reply, run, own } = gateway
    run.delta('one', 'a')
    run.delta('two', 'b')
    run.fail(new RunFailedError(runFailures.truncated, { outcome: 'unseen' }))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'UPSTREAM_TRUNCATED' })
    const [stored] = await own.replies([reply.id])
    expect(stored?.text).toBe('one\n\ntwo')
  })
})

describe('F15 T25: a reply that grows beyond its limit', () => {
  it.each([
    ['many completed messages', 'bot'],
    ['many completed messages', 'workflow'],
  ] as const)(
    'by %s of a %s fails, keeps what was shown, and cancels upstream',
    async (_, kind) => {
      await using gateway = await openRunning({ kind, maxReplyBytes: 1_000 })
      const { replies, reply, run, own, strategy } = gateway
      for (let n = 0; n < 50; n += 1) run.message('x'.repeat(100), `m${n}`)
      const end = (await readAll(replies, reply.id)).at(-1)
      expect(end).toMatchObject({ type: 'failed', code: 'LIMIT', retryable: false })
      const [stored] = await own.replies([reply.id])
      expect(stored?.text).toMatch(/^x{100}\n\nx{100}\n\n/)
      expect(stored?.text.length).toBeLessThan(1_000)
      expect(strategy.cancelled).toEqual([run.chatId])
    },
  )

  it('by the arguments of its tool calls fails, and waits for nobody', async () => {
    await using gateway = await openRunning({ maxReplyBytes: 1_000 })
    const { replies, reply, run, own } = gateway
    run.wait({ ...functionCall('a'), arguments: 'x'.repeat(2_000) })
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'LIMIT' })
    expect(await own.replies([reply.id])).toMatchObject([{ status: 'FAILED', toolCalls: [] }])
  })

  it('over all its rounds of tool calls fails', async () => {
    await using gateway = await openRunning({ maxReplyBytes: 1_000 })
    const { replies, reply, run, strategy } = gateway
    run.delta('x'.repeat(600))
    run.wait(functionCall('a'))
    await readUntil(replies, reply.id, 'action-required')
    await replies.submitToolOutputs(reply.id, [{ toolCallId: 'a', output: 'done' }])
    const round = await strategy.nextOutputs()
    round.accept()
    round.delta('x'.repeat(600), 'm2')
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'LIMIT' })
  })
})

describe('a run that says nothing but what its tools returned', () => {
  it('is told from one that says nothing', async () => {
    await using gateway = await openRunning()
    const { replies, reply, run, own } = gateway
    const { chatId, conversationId } = run
    run.say({ type: 'tool-output', chatId, conversationId })
    run.say({ type: 'completed', chatId, conversationId, usage: null })
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'completed',
      text: '',
      omitted: ['OTHER'],
    })
    expect(await own.replies([reply.id])).toMatchObject([{ text: '', omitted: ['OTHER'] }])
  })
})
