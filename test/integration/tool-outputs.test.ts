import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createCozeClient } from '../../src/coze/client.ts'
import { createTokenResolver } from '../../src/coze/token.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { Secret } from '../../src/lib/secret.ts'
import { createBotStrategy } from '../../src/strategy/bot.ts'
import { randomId } from '../kit/fakes/ids.ts'
import { plain } from '../kit/fakes/plain.ts'
import { answerOf, collect, createRun } from '../kit/fakes/runs.ts'
import { botSettings, strategyOptions } from '../kit/fakes/strategy-options.ts'
import { questionCard } from '../unit/coze/card-samples.ts'
import { chat, chatId, conversationId, frame, ids, message } from '../unit/coze/wire-samples.ts'
import { cozeOptions, tokenOptions } from '../kit/fakes/coze-options.ts'
import { uncounted, untraced } from '../kit/fakes/metrics.ts'

/** A frame as a Bot writes it: without spaces (docs/coze-platform.md#streams). */
const say = (event: string, data: unknown) => frame(event, data, '')
const done = say('done', '"[DONE]"')
const required_action = {
  type: 'submit_tool_outputs',
  submit_tool_outputs: {
    tool_calls: [
      { id: 'call-1', type: 'function', function: { name: 'lookup', arguments: '{"of":"x"}' } },
    ],
  },
}
const toolCalls = [{ id: 'call-1', kind: 'FUNCTION', name: 'lookup', arguments: '{"of":"x"}' }]
const speech = say('conversation.audio.delta', message('UklGR', { content_type: 'audio' }))
const card = message(JSON.stringify(questionCard()), { id: '701', content_type: 'card' })

const asking = [
  say('conversation.chat.created', chat('created')),
  say('conversation.message.delta', message('Let me see.')),
  say('conversation.message.completed', message('Let me see.')),
  say('conversation.message.completed', message('{}', { id: '700', type: 'function_call' })),
  say('conversation.chat.requires_action', chat('requires_action', { required_action })),
  done,
].join('')
const answering = [
  say('conversation.message.completed', message('{}', { id: '702', type: 'tool_output' })),
  say('conversation.message.delta', message('It is x.', { id: '703' })),
  say('conversation.message.completed', message('It is x.', { id: '703' })),
  say('conversation.message.completed', card),
  speech,
  say('conversation.chat.completed', chat('completed')),
  speech,
  done,
].join('')

/** A Bot's upstream that asks for a tool, and the strategy that drives it over a real socket. */
async function system(submitted: (response: ServerResponse, nth: number) => void) {
  const stack = new AsyncDisposableStack()
  const asked: { readonly url: string | undefined; readonly body: unknown }[] = []
  const server = createServer((request: IncomingMessage, response) => {
    void json(request).then((body) => {
      asked.push({ url: request.url, body })
      const submissions = asked.filter(({ url = '' }) => url.startsWith('/v3/chat/submit')).length
      if (submissions === 0) stream(response, asking)
      else submitted(response, submissions)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const baseUrl = `http://127.0.0.1:${port}`
  const client = stack.use(
    createCozeClient({
      clock: systemClock,
      random: () => 0,
      metrics: uncounted,
      tracer: untraced,
      onFailure: () => undefined,
      ...cozeOptions,
    }),
  )
  const tokens = stack.use(
    createTokenResolver({
      client,
      clock: systemClock,
      newId: randomId,
      metrics: uncounted,
      ...tokenOptions,
      credentials: { type: 'shared-token', baseUrl, token: new Secret('token') },
    }),
  )
  const scope = { origin: baseUrl, account: '' }
  const bot = botSettings()
  const strategy = createBotStrategy({
    client,
    tokens,
    clock: systemClock,
    random: () => 0,
    recoverMs: 600_000,
    scope,
    ...strategyOptions(),
    bot,
  })
  return { strategy, asked, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

function stream(response: ServerResponse, text: string) {
  response.setHeader('content-type', 'text/event-stream')
  response.setHeader('x-tt-logid', 'log')
  response.end(text)
}

const alice = createRun('alice')
const { signal } = new AbortController()
const firstMessage = {
  ...alice,
  upstream: { type: 'id', conversationId },
  text: 'x?',
  history: [],
} as const
const outputs = [{ toolCallId: 'call-1', output: '{"x":1}' }]
const submission = { ...alice, upstreamConversationId: conversationId, chatId, outputs }

describe('a Bot that asks for a tool', () => {
  it('is answered, and goes on in the same chat', async () => {
    await using upstream = await system((response) => stream(response, answering))
    const { strategy, asked } = upstream
    const first = await collect((take) =>
      strategy.start({ ...firstMessage, ...plain }, take, signal),
    )
    expect(first.error).toBeUndefined()
    expect(answerOf(first.events)).toBe('Let me see.')
    expect(first.events.at(-1)).toEqual({ type: 'action-required', ...ids, toolCalls })

    const second = await collect((take) => strategy.submitToolOutputs(submission, take, signal))
    expect(second.error).toBeUndefined()
    expect(second.events).toMatchObject([
      { type: 'accepted', ...ids, logId: 'log', retries: 0 },
      { type: 'tool-output', ...ids },
      { type: 'delta', text: 'It is x.' },
      { type: 'message', text: 'It is x.' },
      { type: 'question', question: { text: 'Which one?', options: ['Left', 'Right'] } },
      { type: 'omitted', content: 'AUDIO' },
      { type: 'completed', ...ids },
    ])
    expect(asked[1]).toEqual({
      url: `/v3/chat/submit_tool_outputs?conversation_id=${conversationId}&chat_id=${chatId}`,
      body: { tool_outputs: [{ tool_call_id: 'call-1', output: '{"x":1}' }], stream: true },
    })
  })

  it('is not answered twice, whatever became of the answer', async () => {
    await using upstream = await system((response) => response.destroy())
    const { error, events } = await collect((take) =>
      upstream.strategy.submitToolOutputs(submission, take, signal),
    )
    expect(events).toEqual([])
    expect(error).toMatchObject({
      outcome: 'unseen',
      failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' },
    })
    expect(upstream.asked).toHaveLength(1)
  })

  it('may refuse the answer', async () => {
    await using upstream = await system((response) => {
      response.setHeader('content-type', 'application/json')
      response.end('{"code":5000,"msg":"x"}')
    })
    const { error } = await collect((take) =>
      upstream.strategy.submitToolOutputs(submission, take, signal),
    )
    expect(error).toMatchObject({ upstreamCode: '5000', failure: { code: 'UPSTREAM_ERROR' } })
    expect(upstream.asked).toHaveLength(1)
  })
})
