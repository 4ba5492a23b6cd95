import { describe, expect, it } from 'vitest'
import {
  type ChatError,
  fetchTransport,
  miniProgramTransport,
  type Socket,
  type Transport,
  webSocketTransport,
} from '../../../src/client/client.ts'

const request = {
  url: 'https://gateway.test/graphql',
  headers: { authorization: 'Bearer alice' },
  operation: { query: '{ viewer { isGuest } }' },
}
const refusal = (code: string, extensions: object = {}) =>
  JSON.stringify({ errors: [{ message: 'No.', extensions: { code, ...extensions } }] })

/** What a sink has heard, once the stream has ended. */
async function listen(transport: Transport) {
  const heard: unknown[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = (what: unknown) => {
    heard.push(what)
    resolve()
  }
  const stream = transport.subscribe(request, {
    alive: () => undefined,
    next: ({ data }, cursor) => heard.push([data, cursor]),
    complete: () => end('complete'),
    retry: (ms) => heard.push(ms),
    end: (error) => end(error?.code ?? 'lost'),
  })
  return { heard, ended: promise, stream }
}

describe('a response over fetch', () => {
  const answering = (status: number, body: string, headers: Record<string, string> = {}) =>
    fetchTransport({ fetch: async () => new Response(body, { status, headers }) })

  it.each([
    [200, refusal('BAD_USER_INPUT'), 'BAD_USER_INPUT', false],
    [401, refusal('UNAUTHENTICATED'), 'UNAUTHENTICATED', false],
    [503, refusal('DRAINING'), 'DRAINING', true],
    [502, '<h1>Bad Gateway</h1>', 'NETWORK', true],
    [404, '<h1>Not Found</h1>', 'INTERNAL_SERVER_ERROR', false],
    [200, '<h1>Sign in to the hotel</h1>', 'INTERNAL_SERVER_ERROR', false],
  ])('of status %i with %s has the code %s', async (status, body, code, retryable) => {
    const transport = answering(status, body)
    await expect(transport.request(request)).rejects.toMatchObject({ code, retryable })
    if (status === 200) return
    const { heard, ended } = await listen(transport)
    await ended
    expect(heard).toEqual([code])
  })

  it('says how long to wait', async () => {
    const transport = answering(429, refusal('RATE_LIMITED'), { 'retry-after': '7' })
    await expect(transport.request(request)).rejects.toMatchObject({ retryAfterMs: 7_000 })
  })

  it('that never comes is a failure of the network, with its cause', async () => {
    const cause = new TypeError('fetch failed')
    const transport = fetchTransport({ fetch: () => Promise.reject(cause) })
    const error = await transport.request(request).catch((reason: ChatError) => reason)
    expect(error).toMatchObject({ name: 'ChatError', code: 'NETWORK', retryable: true, cause })
  })

  it('that is a stream is read to its end, or until it is lost', async () => {
    const next = 'event: next\ndata: {"data":{"a":1}}\nid: c1\n\n'
    const whole = await listen(answering(200, `:\n\n${next}retry: 5\n\nevent: complete\ndata:\n\n`))
    await whole.ended
    expect(whole.heard.slice(0, 3)).toEqual([[{ a: 1 }, 'c1'], 5, 'complete'])
    const lost = await listen(answering(200, `:\n\n${next}event: next\ndata: {"da`))
    await lost.ended
    expect(lost.heard).toEqual([[{ a: 1 }, 'c1'], 'lost'])
  })

  it('takes no file that is not one', async () => {
    const upload = async () =>
      await fetchTransport().upload({ ...request, file: { name: 'a.txt' } })
    await expect(upload()).rejects.toThrow('"file" must be a File or a Blob')
  })
})

describe('a WebSocket', () => {
  function open() {
    const listeners = new Map<string, (event: never) => void>()
    const sent: { readonly type: string; readonly payload?: object }[] = []
    let url = ''
    const socket: Socket = {
      send: (text) => sent.push(JSON.parse(text)),
      close: () => fire('close', { code: 1000, reason: '' }),
      addEventListener: (type: string, listener: (event: never) => void) =>
        listeners.set(type, listener),
    }
    const transport = webSocketTransport({
      openSocket: (target, protocol) => {
        url = `${target} ${protocol}`
        return socket
      },
    })
    const fire = (type: string, event: object = {}) => {
      const listener = listeners.get(type)
      if (listener) Reflect.apply(listener, undefined, [event])
    }
    const message = (data: object) => fire('message', { data: JSON.stringify(data) })
    return { transport, sent, fire, message, url: () => url }
  }

  it('signs in with its first message, and asks for signs of life once it is let in', async () => {
    const { transport, sent, fire, message, url } = open()
    const { heard, stream } = await listen(transport)
    expect(url()).toBe('wss://gateway.test/graphql graphql-transport-ws')
    stream.ping?.()
    expect(sent).toEqual([])
    fire('open')
    message({ type: 'connection_ack' })
    stream.ping?.()
    message({ type: 'ping' })
    expect(sent).toEqual([
      { type: 'connection_init', payload: request.headers },
      { id: '1', type: 'subscribe', payload: request.operation },
      { type: 'ping' },
      { type: 'pong' },
    ])
    message({ type: 'next', id: '1', payload: { data: { a: 1 }, extensions: { cursor: 'c1' } } })
    expect(heard).toEqual([[{ a: 1 }, 'c1']])
  })

  it.each([
    [4403, 'UNAUTHENTICATED'],
    [1012, 'lost'],
    [1006, 'lost'],
  ])('that is closed with %i is %s', async (code, outcome) => {
    const { transport, fire } = open()
    const { heard } = await listen(transport)
    fire('error')
    fire('close', { code, reason: 'why' })
    expect(heard).toEqual([outcome])
  })

  it('ends with the error of its operation, once', async () => {
    const { transport, message, fire } = open()
    const { heard } = await listen(transport)
    message({
      type: 'error',
      id: '1',
      payload: [{ message: 'Late.', extensions: { code: 'SUBSCRIPTION_TOKEN_EXPIRED' } }],
    })
    fire('close', { code: 1000, reason: '' })
    expect(heard).toEqual(['SUBSCRIPTION_TOKEN_EXPIRED'])
  })
})

describe('a mini-program', () => {
  type Options = Parameters<Parameters<typeof miniProgramTransport>[0]['request']>[0]

  function open() {
    const tasks: Options[] = []
    const transport = miniProgramTransport({
      request: (options) => void tasks.push(options),
      uploadFile: () => undefined,
    })
    return { transport, tasks }
  }

  it('takes a failure that comes twice for one end', async () => {
    const { transport, tasks } = open()
    const { heard } = await listen(transport)
    tasks[0]?.fail({ errMsg: 'request:fail timeout' })
    tasks[0]?.fail({ errMsg: 'request:fail' })
    expect(heard).toEqual(['lost'])
  })

  it('hears nothing of a stream that it has left', async () => {
    const { transport, tasks } = open()
    const { heard, stream } = await listen(transport)
    stream.close()
    tasks[0]?.fail({ errMsg: 'request:fail abort' })
    expect(heard).toEqual([])
  })

  it.each([
    ['a text', refusal('UNAUTHENTICATED')],
    ['an object', JSON.parse(refusal('UNAUTHENTICATED'))],
    ['bytes', new TextEncoder().encode(refusal('UNAUTHENTICATED')).buffer],
  ])('is refused with the code, whose body is %s', async (_, data) => {
    const { transport, tasks } = open()
    const asking = transport.request(request)
    tasks[0]?.success({ statusCode: 401, data })
    await expect(asking).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    const { heard } = await listen(transport)
    tasks[1]?.success({ statusCode: 401, data })
    expect(heard).toEqual(['UNAUTHENTICATED'])
  })
})
