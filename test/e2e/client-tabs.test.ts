import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type * as clientModule from '../../src/client/client.ts'
import { openBrowser } from '../kit/clients/browser.ts'
import { bundleClient } from '../kit/clients/bundle.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { readMeter } from '../kit/process/metrics.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'
import { createRandom } from '../kit/random.ts'

/** What a tab keeps for the test. */
interface TabState {
  readonly chat: clientModule.ChatClient
  /** The texts of each reply, as a page would show them. */
  readonly shown: Record<string, string[]>
  readonly ended: Record<string, string>
}
declare const client: typeof clientModule
declare const tab: TabState

const words = 600

describe('the tabs of a browser', () => {
  let system: System
  let browser: Browser
  let bundle: string
  beforeAll(async () => {
    system = await startSystem({ timeouts: { keepAliveMs: 1_000 } })
    browser = await openBrowser()
    bundle = await bundleClient()
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await system[Symbol.asyncDispose]()
  })

  async function openContext() {
    const context = await browser.newContext()
    return { context, [Symbol.asyncDispose]: () => context.close() }
  }

  /** A page that shows every reply of its session. */
  async function openTab(context: BrowserContext, name: string, url = system.gateway.url) {
    const page = await context.newPage()
    await page.goto(`${url}/health/live`)
    await page.evaluate(bundle)
    await page.evaluate((token) => {
      const chat = client.createChatClient({
        url: '/graphql',
        token: () => token,
        transport: client.browserTransport(),
        maxAttempts: 50,
      })
      const shown: Record<string, string[]> = {}
      const ended: Record<string, string> = {}
      const known = new Set<string>()
      chat.onEvent(({ replyId }) => {
        if (known.has(replyId)) return
        known.add(replyId)
        void chat.follow(replyId).then(async (reply) => {
          const texts: string[] = (shown[replyId] = [])
          for await (const text of reply.text) texts.push(text)
          ended[replyId] = (await reply.done).text
        })
      })
      Object.assign(window, { tab: { chat, shown, ended } })
    }, system.person(name).token)
    return page
  }
  const send = async (page: Page, text: string) =>
    await page.evaluate(async (message) => {
      return (await tab.chat.send(message, { assistantId: 'bot' })).id
    }, text)
  const length = async (page: Page, id: string) =>
    await page.evaluate((reply) => tab.shown[reply]?.at(-1)?.length ?? 0, id)
  const end = async (page: Page, id: string) =>
    await until(async () => await page.evaluate((reply) => tab.ended[reply], id), 'the end')
  const shown = async (page: Page, id: string) =>
    await page.evaluate((reply) => tab.shown[reply] ?? [], id)
  const isOpen = async (page: Page) =>
    await page.evaluate(() => tab.chat.connection.snapshot().status === 'open')
  const openedStreams = async () =>
    await readMeter(system.gateway, 'coze_gateway_subscriptions_opened_total')

  function expectGrowing(texts: readonly string[]) {
    for (const [at, text] of texts.entries())
      expect(text.startsWith(texts[at - 1] ?? '')).toBe(true)
  }

  it('share one stream and show the same text', async () => {
    await using alice = await openContext()
    const before = await openedStreams()
    const first = await openTab(alice.context, 'alice')
    await until(() => isOpen(first), 'the stream')
    const second = await openTab(alice.context, 'alice')
    const third = await openTab(alice.context, 'alice')
    await until(async () => (await isOpen(second)) && (await isOpen(third)), 'the followers')
    const id = await send(second, `/speed 300 /long ${words}`)
    const texts = await Promise.all([first, second, third].map(async (page) => await end(page, id)))
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]?.split(' ')).toHaveLength(words)
    for (const page of [first, second, third]) expectGrowing(await shown(page, id))
    expect(await openedStreams()).toBe(before + 1)
  })

  it('of two sessions share nothing', async () => {
    await using both = await openContext()
    const alice = await openTab(both.context, 'alice')
    const bob = await openTab(both.context, 'bob')
    await until(async () => (await isOpen(alice)) && (await isOpen(bob)), 'both streams')
    const id = await send(alice, '/say for Alice alone')
    expect(await end(alice, id)).toBe('for Alice alone')
    const own = await send(bob, '/say for Bob')
    await end(bob, own)
    expect(await bob.evaluate(() => Object.keys(tab.shown))).toEqual([own])
    expect(await alice.evaluate(() => Object.keys(tab.shown))).toEqual([id])
  })

  it('go on when the tab that has the stream is closed in mid-reply', async () => {
    await using carol = await openContext()
    const leader = await openTab(carol.context, 'carol')
    await until(() => isOpen(leader), 'the stream')
    const follower = await openTab(carol.context, 'carol')
    await until(() => isOpen(follower), 'the follower')
    const id = await send(follower, `/speed 150 /long ${words}`)
    await until(async () => (await length(follower, id)) > 500, 'some text')
    await leader.close()
    const text = await end(follower, id)
    expect(text.split(' ')).toHaveLength(words)
    expectGrowing(await shown(follower, id))
  })

  it('go on when the tab that has the stream hangs', async () => {
    await using dora = await openContext()
    const leader = await openTab(dora.context, 'dora')
    await until(() => isOpen(leader), 'the stream')
    const follower = await openTab(dora.context, 'dora')
    await until(() => isOpen(follower), 'the follower')
    const id = await send(follower, `/speed 150 /long ${words}`)
    await until(async () => (await length(follower, id)) > 500, 'some text')
    const hang = leader.evaluate(() => {
      for (const until = performance.now() + 6_000; performance.now() < until;) continue
    })
    const text = await end(follower, id)
    expect(text.split(' ')).toHaveLength(words)
    expectGrowing(await shown(follower, id))
    await hang
    // The one that hung has its text too, and hears what comes.
    expect(await end(leader, id)).toBe(text)
    const next = await send(leader, '/say later')
    expect(await end(leader, next)).toBe('later')
    expect(await end(follower, next)).toBe('later')
  })

  it('show where a reply was after a reload in the middle of it', async () => {
    await using emma = await openContext()
    const page = await openTab(emma.context, 'emma')
    await until(() => isOpen(page), 'the stream')
    const id = await send(page, `/speed 150 /long ${words}`)
    await until(async () => (await length(page, id)) > 500, 'some text')
    const reached = await length(page, id)
    await page.close()
    const again = await openTab(emma.context, 'emma')
    const first = await again.evaluate(async (replyId) => {
      const reply = await tab.chat.follow(replyId)
      return reply.state.snapshot().text
    }, id)
    expect(first.length).toBeGreaterThanOrEqual(reached)
    const text = await end(again, id)
    expect(text.split(' ')).toHaveLength(words)
    expectGrowing(await shown(again, id))
  })

  it('agree although the network of the browser is cut again and again', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = createRandom(seed)
    await using proxy = await openCuttingProxy(
      () => random.between(2_000, 30_000),
      () => random.chance(0.5),
    )
    proxy.forwardTo(system.gateway.url)
    await using fred = await openContext()
    const pages = [
      await openTab(fred.context, 'fred', proxy.url),
      await openTab(fred.context, 'fred', proxy.url),
    ]
    const [first, second] = pages
    if (!first || !second) throw new Error('no tabs')
    await until(async () => (await isOpen(first)) && (await isOpen(second)), 'both tabs')
    const id = await send(first, `/speed 150 /long ${words * 2}`)
    const texts = await Promise.all(pages.map(async (page) => await end(page, id)))
    expect(proxy.cuts, `seed ${seed}`).toBeGreaterThan(5)
    expect(texts[0]?.split(' '), `seed ${seed}`).toHaveLength(words * 2)
    expect(texts[1]).toBe(texts[0])
    for (const page of pages) expectGrowing(await shown(page, id))
  })

  it('show how much of a file was sent, and send it with a message', async () => {
    await using gina = await openContext()
    const page = await openTab(gina.context, 'gina')
    const { progress, attachment, attached } = await page.evaluate(async () => {
      const progress: { sentBytes: number; totalBytes: number }[] = []
      const file = new File(['x'.repeat(3_000_000)], 'notes.txt', { type: 'text/plain' })
      const attachment = await client.uploadFile(tab.chat, file, {
        assistantId: 'bot',
        onProgress: (made) => progress.push(made),
      })
      const reply = await tab.chat.send('/files', {
        assistantId: 'bot',
        attachmentIds: [attachment.id],
      })
      await reply.done
      const { nodes } = await tab.chat.conversation(reply.conversationId).messages()
      return { progress, attachment, attached: nodes[0]?.attachments.map(({ id }) => id) }
    })
    expect(attachment).toMatchObject({ name: 'notes.txt', byteSize: 3_000_000 })
    expect(attached).toEqual([attachment.id])
    const last = progress.at(-1)
    expect(last?.sentBytes).toBe(last?.totalBytes)
    expect(last?.totalBytes).toBeGreaterThan(3_000_000)
    // A refusal has its code, as of any other request.
    const code = await page.evaluate(async () => {
      const file = new File(['x'], 'tool.exe', { type: 'application/x-msdownload' })
      const sent = client.uploadFile(tab.chat, file, {
        assistantId: 'bot',
        onProgress: () => undefined,
      })
      return await sent.then(() => 'none').catch((error: clientModule.ChatError) => error.code)
    })
    expect(code).toBe('INVALID_INPUT')
  })
})
