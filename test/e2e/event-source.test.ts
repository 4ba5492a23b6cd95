import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { readMeter } from '../kit/process/metrics.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const streamPath = `/graphql?query=${encodeURIComponent(
  'subscription($after:String){replies(after:$after){replyId ...on ReplyDelta{kind offset text} ...on ReplyCompleted{text}}}',
)}`
const sendBody = (text: string) => ({
  query:
    'mutation($input:SendMessageInput!){sendMessage(input:$input){__typename ...on SendMessageSuccess{reply{id}} ... on UserError{message}}}',
  variables: { input: { text, assistantId: 'bot' } },
})

describe('EventSource and WebSocket with a cookie, in Chromium', () => {
  let system: System
  let browser: Browser
  /** Pages of this host with another port, which are of the same site, and of another host. */
  let elsewhere: Server
  beforeAll(async () => {
    system = await startSystem({
      config: { listen: { host: '127.0.0.1', port: await freePort() }, cookie: {} },
    })
    browser = await openBrowser()
    elsewhere = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<title>elsewhere</title>')
    }).listen(0)
    await once(elsewhere, 'listening')
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    elsewhere.close()
    await system[Symbol.asyncDispose]()
  })

  /** A page of the gateway's own site, whose user is signed in by the cookie alone. */
  async function signIn(name: string) {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${system.gateway.url}/graphql`)
    const { token } = system.person(name)
    const status = await page.evaluate(async (bearer) => {
      const headers = { authorization: `Bearer ${bearer}` }
      return (await fetch('/auth/cookie', { method: 'POST', headers })).status
    }, token)
    expect(status).toBe(204)
    return { context, page, [Symbol.asyncDispose]: () => context.close() }
  }

  async function listen(page: Page, url: string) {
    await page.evaluate((from) => {
      const seen: string[] = []
      const source = new EventSource(from, { withCredentials: true })
      source.addEventListener('next', ({ data }) => seen.push(data))
      source.addEventListener('open', () => seen.push('open'))
      source.addEventListener('error', () => seen.push(source.readyState === 2 ? 'closed' : 'lost'))
      Object.assign(window, { seen })
    }, url)
    return {
      seen: async () => await page.evaluate((): string[] => Reflect.get(window, 'seen')),
    }
  }

  it('follows replies, and goes on by itself after a kill -9, with no gap and no doubled text', async () => {
    await using alice = await signIn('alice')
    const { seen } = await listen(alice.page, streamPath)
    await until(async () => (await seen()).includes('open'), 'the stream to open')
    const send = async (text: string) =>
      await alice.page.evaluate(async (body) => {
        const headers = { 'content-type': 'application/json' }
        const answer = await fetch('/graphql', {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        })
        return await answer.text()
      }, sendBody(text))
    expect(await send('/say before')).toContain('SendMessageSuccess')
    await until(async () => (await seen()).join().includes('"text":"before"'), 'the first answer')

    await system.gateway.kill('SIGKILL')
    await system.gateway.restart()
    expect(await send('/say after')).toContain('SendMessageSuccess')
    await until(async () => (await seen()).join().includes('"text":"after"'), 'the second answer')
    const events = await seen()
    expect(events).toContain('lost')
    const texts = events.flatMap((event) => {
      if (!event.startsWith('{')) return []
      const { data } = JSON.parse(event)
      return data.replies.kind === undefined ? (data.replies.text ?? []) : []
    })
    expect(texts).toEqual(['before', 'after'])
  })

  it('T11: serves a WebSocket of its own page by the cookie, and of no page elsewhere', async () => {
    await using alice = await signIn('alice')
    const url = `${system.gateway.url.replace('http', 'ws')}/graphql`
    const ask = async () =>
      await alice.page.evaluate(
        async (target) =>
          await new Promise<string>((resolve) => {
            const socket = new WebSocket(target, 'graphql-transport-ws')
            const send = (message: object) => socket.send(JSON.stringify(message))
            const query = '{ viewer { isGuest } }'
            socket.addEventListener('open', () => send({ type: 'connection_init' }))
            socket.addEventListener('close', ({ code, reason }) => resolve(`${code} ${reason}`))
            socket.addEventListener('message', ({ data }) => {
              const { type, payload } = JSON.parse(data)
              if (type === 'next') resolve(JSON.stringify(payload))
              else send({ id: '1', type: 'subscribe', payload: { query } })
            })
          }),
        url,
      )
    expect(await ask()).toBe('{"data":{"viewer":{"isGuest":false}}}')
    const { port } = elsewhere.address() as AddressInfo
    // With another port it is of the same site, and its browser sends the cookie; from another site it does not.
    await alice.page.goto(`http://127.0.0.1:${port}`)
    expect(await ask()).toMatch(/^4403 A cookie is accepted only from pages of this site/)
    await alice.page.goto(`http://localhost:${port}`)
    expect(await ask()).toMatch(/^4403 /)
  })

  it.each([
    ['of the same site', '127.0.0.1'],
    ['of another site', 'localhost'],
  ])('T11: tells a page %s nothing', async (_, host) => {
    await using alice = await signIn(`alice ${host}`)
    const evil = await alice.context.newPage()
    const { port } = elsewhere.address() as AddressInfo
    await evil.goto(`http://${host}:${port}/`)
    const opened = await countOpened()
    const { seen } = await listen(evil, system.gateway.url + streamPath)
    await until(async () => (await seen()).includes('closed'), 'the stream to be refused')
    expect(await seen()).toEqual(['closed'])
    expect(await countOpened()).toBe(opened)

    const before = (await system.emulator.state()).chats.length
    // What it sends unasked, as forms can, does nothing.
    const told = await evil.evaluate(
      async ([url, body]) => {
        const options = { method: 'POST', mode: 'no-cors', credentials: 'include' } as const
        const headers = { 'content-type': 'text/plain' }
        return (await fetch(`${url}/graphql`, { ...options, headers, body })).type
      },
      [system.gateway.url, JSON.stringify(sendBody('/say evil'))] as const,
    )
    expect(told).toBe('opaque')
    expect((await system.emulator.state()).chats).toHaveLength(before)
    const own = await listen(alice.page, streamPath)
    await until(async () => (await own.seen()).includes('open'), 'her own page to be let in')
    expect(await countOpened()).toBe(opened + 1)
  })

  const countOpened = async () =>
    await readMeter(system.gateway, 'coze_gateway_subscriptions_opened_total')
})

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
