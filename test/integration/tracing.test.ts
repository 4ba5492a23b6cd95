import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RepliesDocument, SendMessageDocument } from '../../schema/operations/generated/graphql.ts'
import { parseConfig } from '../../src/config/config.ts'
import { createGateway } from '../../src/compose/gateway.ts'
import { type Client, createClient } from '../kit/clients/client.ts'
import { createTestApp, publicPart, startEmulator } from '../kit/process/emulator.ts'
import { signToken } from '../kit/credentials/hs256.ts'
import { silentLogger } from '../kit/fakes/logger.ts'
import { until } from '../kit/process/until.ts'

const secret = 's'.repeat(40)
const issuer = 'https://issuer.test'
const traceId = '0af7651916cd43dd8448eb211c80319c'
const exporter = new InMemorySpanExporter()

describe('a trace', () => {
  const stack = new AsyncDisposableStack()
  let client: Client
  let sessionName: () => Promise<string | undefined>
  const token = signToken({
    issuer,
    audience: 'gateway',
    secret,
    subject: 'alice-the-subject',
    expiresInSeconds: 600,
  })

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    )
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    const app = createTestApp()
    const emulator = stack.use(
      await startEmulator({
        apps: [publicPart(app)],
        bots: [{ botId: '7003' }],
        wordsPerSecond: 0,
      }),
    )
    sessionName = async () => (await emulator.state()).chats[0]?.sessionName
    const { appId, keyId, privateKeyPem: privateKey } = app
    const gateway = stack.use(
      await createGateway(
        parseConfig({
          env: {},
          json: {
            issuers: [{ issuer, audience: 'gateway', secret }],
            session: { key: 'k'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
            assistants: [
              {
                id: 'bot',
                name: 'Bot',
                strategy: 'bot',
                baseUrl: emulator.url,
                credentials: { type: 'oauth', appId, keyId, privateKey },
                bot: { botId: '7003' },
              },
            ],
            store: 'sqlite::memory:',
            probe: { checkAtStart: false }, // so that every span is a caller's
          },
        }),
        { logger: silentLogger },
      ),
    )
    const server = createServer((req, res) => gateway.handle(req, res)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    stack.defer(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    client = stack.use(createClient(`http://127.0.0.1:${port}`))
  })
  beforeEach(() => exporter.reset())
  afterAll(async () => {
    await stack.disposeAsync()
    trace.disable()
    context.disable()
    propagation.disable()
  })

  /** Says something, under a trace of the caller's own, and waits for the end of the reply's span. */
  async function say(text: string): Promise<void> {
    const { body } = await client.call({
      token,
      query: SendMessageDocument.toString(),
      variables: { input: { text } },
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    })
    const replyId: string = JSON.parse(body).data.sendMessage.reply.id
    using stream = await client.stream({
      token,
      query: RepliesDocument.toString(),
      variables: { replyId },
    })
    for (let frame = await stream.next(); frame; frame = await stream.next());
    await until(() => find('invoke_agent Bot') !== undefined, 'the span of the run')
  }

  it('leads from the request to the run to its upstream calls', async () => {
    await say('what is blue-whale?')
    const mutation = found('mutation')
    const run = found('invoke_agent Bot')
    const chat = found('POST /v3/chat')
    expect(mutation.kind).toBe(SpanKind.SERVER)
    expect(mutation.parentSpanContext?.spanId).toBe('b7ad6b7169203331')
    expect(run.parentSpanContext?.spanId).toBe(mutation.spanContext().spanId)
    for (const name of ['POST /v3/chat', 'POST /api/permission/oauth2/token']) {
      expect(found(name).parentSpanContext?.spanId).toBe(run.spanContext().spanId)
      expect(found(name).kind).toBe(SpanKind.CLIENT)
    }
    for (const span of [mutation, run, chat]) expect(span.spanContext().traceId).toBe(traceId)
    expect(mutation.attributes).toMatchObject({
      'graphql.operation.type': 'mutation',
      'coze_gateway.session': expect.stringMatching(/^[\w-]{12}$/),
      'coze_gateway.caller': 'jwt',
    })
    expect(run.attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'coze',
      'gen_ai.agent.id': 'bot',
      'gen_ai.agent.name': 'Bot',
      'gen_ai.response.finish_reasons': ['completed'],
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
    })
    expect(chat.attributes).toMatchObject({
      'http.request.method': 'POST',
      'url.template': '/v3/chat',
      'server.address': '127.0.0.1',
      'coze.log_id': expect.any(String),
    })
    expect(found('subscription').attributes).toMatchObject({
      'graphql.operation.type': 'subscription',
    })
  })

  it('says by code why a reply failed', async () => {
    await say('/fail 5000 of the blue-whale')
    expect(found('invoke_agent Bot').attributes).toMatchObject({ 'error.type': 'UPSTREAM_ERROR' })
    expect(found('invoke_agent Bot').status.message).toBeUndefined()
  })

  it('T18: holds no text, no name of a session, no subject and no token', async () => {
    await say('/say the blue-whale')
    const name = await sessionName()
    expect(name).toBeDefined()
    const shown = JSON.stringify(
      exporter.getFinishedSpans().map(({ name: title, attributes, events, status }) => ({
        title,
        attributes,
        events,
        status,
      })),
    )
    for (const word of ['blue-whale', name ?? '', 'alice-the-subject', token, secret, 'czs_']) {
      expect(shown).not.toContain(word)
    }
  })

  it('is of no trace of a caller who names none', async () => {
    await client.call({ token, query: '{ viewer { sessionFingerprint } }' })
    const query = found('query')
    expect(query.parentSpanContext).toBeUndefined()
    expect(query.spanContext().traceId).not.toBe(traceId)
  })
})

function find(name: string): ReadableSpan | undefined {
  return exporter.getFinishedSpans().find((span) => span.name === name)
}

function found(name: string): ReadableSpan {
  const span = find(name)
  if (!span) throw new Error(`no span "${name}"`)
  return span
}
