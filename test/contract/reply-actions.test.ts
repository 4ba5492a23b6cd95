import { describe, expect, it } from 'vitest'
import { RunFailedError } from '../../src/strategy/run-failure.ts'
import { InvalidInputError, NotFoundError } from '../../src/errors.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { message, openEngine, readAll, readUntil, typesOf } from '../kit/fakes/engine.ts'
import { functionCall } from '../kit/fakes/strategy.ts'
import { until } from '../kit/process/until.ts'

const output = (toolCallId: string) => ({ toolCallId, output: `${toolCallId} is done` })

/** A Bot's reply that waits for the outputs of its calls. */
async function openWaiting(...ids: readonly string[]) {
  const clock = createFakeClock()
  const gateway = await openEngine({ clock, actionMs: 60_000, totalMs: 10_000 })
  const { replies, strategy } = gateway
  const reply = await replies.sendMessage(message('look it up'))
  const run = await strategy.next()
  run.accept()
  run.delta('Let me see. ')
  run.wait(...ids.map(functionCall))
  await readUntil(replies, reply.id, 'action-required')
  return { ...gateway, clock, reply, run }
}

describe("F18: a Bot's tool call", () => {
  it('waits for its outputs, and the same reply goes on', async () => {
    await using gateway = await openWaiting('call-1', 'call-2')
    const { replies, strategy, reply, own } = gateway
    expect(await own.replies([reply.id])).toMatchObject([
      {
        status: 'ACTION_REQUIRED',
        toolCalls: [{ id: 'call-1', kind: 'FUNCTION', name: 'look_up' }, { id: 'call-2' }],
        actionExpiresAt: gateway.clock.now() + 60_000,
      },
    ])
    const outputs = [output('call-2'), output('call-1')]
    expect(await replies.submitToolOutputs(reply.id, outputs)).toMatchObject({ status: 'RUNNING' })
    const round = await strategy.nextOutputs()
    expect(round.outputs).toEqual(outputs)
    round.accept()
    round.delta('It is there.', 'm2')
    round.say(
      { type: 'message', ...idsOf(round), messageId: 'm2', text: 'It is there.' },
      { type: 'completed', ...idsOf(round), usage: null },
    )
    const events = await readAll(replies, reply.id)
    expect(typesOf(events).filter((type) => type !== 'delta')).toEqual([
      'started',
      'action-required',
      'completed',
    ])
    expect(events.at(-1)).toMatchObject({ text: 'Let me see. \n\nIt is there.' })
    expect(await own.replies([reply.id])).toMatchObject([
      { status: 'COMPLETED', toolCalls: [], actionExpiresAt: null },
    ])
  })

  it('ends as one that cannot be answered where the platform takes no outputs', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply } = gateway
    await replies.submitToolOutputs(reply.id, [output('call-1')])
    const round = await strategy.nextOutputs()
    const failure = {
      code: 'UPSTREAM_REFUSED',
      message: 'no such call',
      retryable: false,
      retryAfterMs: null,
    } as const
    round.fail(new RunFailedError(failure, { outcome: 'not-accepted', isSupported: false }))
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'failed',
      code: 'ACTION_UNSUPPORTED',
      retryable: false,
    })
  })

  it('may come again after its outputs', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply } = gateway
    await replies.submitToolOutputs(reply.id, [output('call-1')])
    const round = await strategy.nextOutputs()
    round.accept()
    round.wait(functionCall('call-2'))
    await readUntil(replies, reply.id, 'action-required', 1)
    await replies.submitToolOutputs(reply.id, [output('call-2')])
    const last = await strategy.nextOutputs()
    expect(last.outputs).toEqual([output('call-2')])
    last.accept()
    last.complete('done')
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ type: 'completed' })
  })

  it.each([
    ['none', []],
    ['another call', [output('call-9')]],
    ['one of two', [output('call-1')]],
    ['a call twice', [output('call-1'), output('call-1')]],
    ['too many', [output('call-1'), output('call-2'), output('call-3')]],
    ['too long', [output('call-1'), { toolCallId: 'call-2', output: 'x'.repeat(40_000) }]],
  ])('is not answered by outputs that are %s, and goes on waiting', async (_what, outputs) => {
    await using gateway = await openWaiting('call-1', 'call-2')
    const { replies, reply, own } = gateway
    await expect(replies.submitToolOutputs(reply.id, outputs)).rejects.toThrow(InvalidInputError)
    expect(await own.replies([reply.id])).toMatchObject([{ status: 'ACTION_REQUIRED' }])
    await replies.submitToolOutputs(reply.id, [output('call-1'), output('call-2')])
  })

  it('is answered once by equal outputs that come twice at once', async () => {
    await using gateway = await openWaiting('call-1', 'call-2')
    const { replies, strategy, reply } = gateway
    const outputs = [output('call-1'), output('call-2')]
    const twice = await Promise.all([
      replies.submitToolOutputs(reply.id, outputs),
      replies.submitToolOutputs(reply.id, outputs.toReversed()),
    ])
    expect(twice.map(({ status }) => status)).toEqual(['RUNNING', 'RUNNING'])
    const round = await strategy.nextOutputs()
    round.accept()
    round.complete('done')
    expect(typesOf(await readAll(replies, reply.id)).at(-1)).toBe('completed')
  })

  it('is answered once by other outputs that come at once', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, reply } = gateway
    const twice = await Promise.allSettled([
      replies.submitToolOutputs(reply.id, [output('call-1')]),
      replies.submitToolOutputs(reply.id, [{ toolCallId: 'call-1', output: 'else' }]),
    ])
    expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('takes equal outputs that are sent again after a lost answer, whatever came of them since', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply } = gateway
    const again = () => replies.submitToolOutputs(reply.id, [output('call-1')])
    await again()
    expect(await again()).toMatchObject({ id: reply.id, status: 'RUNNING' })
    const round = await strategy.nextOutputs()
    round.accept()
    round.wait(functionCall('call-2'))
    await readUntil(replies, reply.id, 'action-required', 1)
    expect(await again()).toMatchObject({
      status: 'ACTION_REQUIRED',
      toolCalls: [{ id: 'call-2' }],
    })
    await replies.submitToolOutputs(reply.id, [output('call-2')])
    const last = await strategy.nextOutputs()
    last.accept()
    last.complete('done')
    await readAll(replies, reply.id)
    expect(await again()).toMatchObject({ status: 'COMPLETED' })
    const others = replies.submitToolOutputs(reply.id, [{ toolCallId: 'call-1', output: 'else' }])
    await expect(others).rejects.toThrow(InvalidInputError)
    const mallory = await gateway.open('mallory')
    await expect(mallory.replies.submitToolOutputs(reply.id, [output('call-1')])).rejects.toThrow(
      NotFoundError,
    )
  })

  it("T2: is not another session's to answer", async () => {
    await using gateway = await openWaiting('call-1')
    const mallory = await gateway.open('mallory')
    await expect(
      mallory.replies.submitToolOutputs(gateway.reply.id, [output('call-1')]),
    ).rejects.toThrow(NotFoundError)
  })

  it('ACTION_EXPIRED: fails when no outputs come in time, and the conversation begins anew upstream', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply, clock } = gateway
    clock.advance(60_000)
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'failed',
      code: 'ACTION_EXPIRED',
      retryable: false,
    })
    await expect(replies.submitToolOutputs(reply.id, [output('call-1')])).rejects.toThrow(
      InvalidInputError,
    )
    const next = await replies.sendMessage(message('again'))
    const run = await strategy.next()
    expect(run.request.upstream).not.toEqual({
      type: 'id',
      conversationId: gateway.run.conversationId,
    })
    run.accept()
    run.complete('here')
    expect((await readAll(replies, next.id)).at(-1)).toMatchObject({ contextReset: true })
  })

  it('F15: has one time for all that the upstream works for it, without what it waits', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply, clock } = gateway
    clock.advance(50_000)
    await replies.submitToolOutputs(reply.id, [output('call-1')])
    const first = await strategy.nextOutputs()
    first.accept()
    first.delta('Wait. ')
    await until(
      async () => (await textOf(gateway)) !== 'Let me see. ',
      'the first round to be read',
    )
    clock.advance(6_000)
    first.wait(functionCall('call-2'))
    await readUntil(replies, reply.id, 'action-required', 1)
    await replies.submitToolOutputs(reply.id, [output('call-2')])
    const second = await strategy.nextOutputs()
    second.accept()
    second.delta('Nearly. ')
    await until(async () => (await textOf(gateway)).endsWith('Nearly. '), 'the second to be read')
    clock.advance(3_999)
    expect(second.aborted).toBe(false)
    clock.advance(1)
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({ code: 'LIMIT' })
    expect(strategy.cancelled).toEqual([gateway.run.chatId])
  })

  it('is cancelled like any reply', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply, run } = gateway
    expect(await replies.cancelReply(reply.id)).toMatchObject({ status: 'CANCELLED' })
    await until(() => strategy.cancelled.includes(run.chatId), 'the upstream to be told')
  })

  it('holds the conversation: the next message waits', async () => {
    await using gateway = await openWaiting('call-1')
    const { replies, strategy, reply } = gateway
    const next = await replies.sendMessage(message('next'))
    expect(next).toMatchObject({ status: 'QUEUED', queuePosition: 0 })
    expect(strategy.started).toBe(1)
    await replies.submitToolOutputs(reply.id, [output('call-1')])
    const round = await strategy.nextOutputs()
    round.accept()
    round.complete('done')
    expect((await strategy.next()).request.text).toBe('next')
  })
})

describe("F18: a Workflow's question", () => {
  const question = {
    text: 'Which one?',
    options: ['red', 'blue'],
    fields: [{ name: 'size', type: 'string', required: true }],
  }

  it('completes its reply, and the next message answers it in the same upstream conversation', async () => {
    await using gateway = await openEngine({ kind: 'workflow' })
    const { replies, strategy } = gateway
    const reply = await replies.sendMessage(message('order'))
    const run = await strategy.next()
    run.accept()
    run.ask(question)
    run.wait()
    expect((await readAll(replies, reply.id)).at(-1)).toMatchObject({
      type: 'completed',
      question,
    })
    const answer = await replies.sendMessage(message('red'))
    const resumed = await strategy.next()
    expect(resumed.request).toMatchObject({
      text: 'red',
      upstream: { type: 'id', conversationId: run.conversationId },
    })
    resumed.accept()
    resumed.complete('red it is')
    expect((await readAll(replies, answer.id)).at(-1)).toMatchObject({
      text: 'red it is',
      contextReset: false,
      question: null,
    })
  })

  it('that is cleared is not answered by the next message', async () => {
    await using gateway = await openEngine({ kind: 'workflow' })
    const { replies, conversations, strategy } = gateway
    const reply = await replies.sendMessage(message('order'))
    const run = await strategy.next()
    run.accept()
    run.ask(question)
    run.wait()
    await readAll(replies, reply.id)
    await conversations.clear(reply.conversationId)
    await replies.sendMessage(message('hello'))
    expect((await strategy.next()).request.upstream).not.toEqual({
      type: 'id',
      conversationId: run.conversationId,
    })
  })
})

async function textOf({ own, reply }: Awaited<ReturnType<typeof openWaiting>>): Promise<string> {
  const [stored] = await own.replies([reply.id])
  return stored?.text ?? ''
}

function idsOf({ chatId, conversationId }: { chatId: string; conversationId: string }) {
  return { chatId, conversationId }
}
