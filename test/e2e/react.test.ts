import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { bundle } from '../kit/clients/bundle.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const document = readFileSync(
  new URL('../../docs/examples/react/index.html', import.meta.url),
  'utf8',
)

/** The same chat by the AI SDK's hook, over the transport. */
const aiSdkApp = `
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useChat } from '@ai-sdk/react'
import { createChatTransport } from 'coze-graphql-gateway/ai-sdk'
import { browserTransport, createChatClient } from 'coze-graphql-gateway/client'

const address = new URL(location.href)
const token = address.searchParams.get('token')
const url = address.searchParams.get('url')
const client = createChatClient({ url, token: () => token, transport: browserTransport() })
const transport = createChatTransport(client, { assistantId: 'bot' })
const messages = await transport.loadMessages('support')

function Chat() {
  const chat = useChat({ id: 'support', transport, messages, resume: true })
  const textOf = ({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
  return (
    <>
      <ol>{chat.messages.map((one) => <li key={one.id} className={one.role.toUpperCase()}><p>{textOf(one)}</p></li>)}</ol>
      <p role="status">{chat.error?.message ?? chat.status}</p>
      <form action={(data) => void chat.sendMessage({ text: data.get('text') })}>
        <input name="text" /><button>Send</button>
        <button type="button" onClick={() => void chat.stop()}>Stop</button>
      </form>
    </>
  )
}
createRoot(document.querySelector('#chat')).render(<StrictMode><Chat /></StrictMode>)
`

describe.each([
  ['the example of useChat', { file: 'docs/examples/react/app.tsx' }],
  ["the AI SDK's useChat over the transport", { text: aiSdkApp }],
])('%s, in Chromium and in StrictMode', (name, source) => {
  let system: System
  let browser: Browser
  let script: string
  beforeAll(async () => {
    system = await startSystem({ emulator: { wordsPerSecond: 50 } })
    script = await bundle(source)
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await system[Symbol.asyncDispose]()
  })

  /** A page of the gateway's own site, which the browser is given in its place. */
  async function open(who: string, address?: string) {
    const context = await browser.newContext()
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    const site = `${system.gateway.url}/app`
    await page.route(`${site}/**`, (route) => {
      const isScript = route.request().url().endsWith('/app.js')
      return route.fulfill({
        contentType: isScript ? 'text/javascript' : 'text/html',
        body: isScript ? script : document,
      })
    })
    const { token } = system.person(who)
    const query = new URLSearchParams({ token, url: `${system.gateway.url}/graphql` })
    await page.goto(address ?? `${site}/?${query.toString()}`)
    return { page, problems, [Symbol.asyncDispose]: () => context.close() }
  }

  async function say(page: Page, text: string) {
    await page.locator('input[name=text]').fill(text)
    await page.getByRole('button', { name: 'Send' }).click()
  }
  const lastText = async (page: Page) =>
    (await page.locator('li.ASSISTANT p').allTextContents()).at(-1)
  const isReady = async (page: Page) =>
    await until(
      async () => (await page.getByRole('status').textContent()) === 'ready',
      'the end of the reply',
    )

  it('shows the answer while it grows, once, and is ready for the next', async () => {
    await using alice = await open(`${name} grows`)
    await say(alice.page, '/long 40')
    await until(async () => /\b3\b/.test((await lastText(alice.page)) ?? ''), 'the first words')
    expect(await lastText(alice.page)).not.toMatch(/\b40\b/)
    await isReady(alice.page)
    expect(await lastText(alice.page)).toMatch(/\b40$/)
    await say(alice.page, '/say again')
    await until(async () => (await lastText(alice.page)) === 'again', 'the second answer')
    await isReady(alice.page)
    const texts = await alice.page.locator('li p').allTextContents()
    expect(texts.map((text) => text.slice(0, 8))).toEqual([
      '/long 40',
      texts[1]?.slice(0, 8),
      '/say aga',
      'again',
    ])
    expect(alice.problems).toEqual([])
  })

  it('goes on after a reload in mid-reply', async () => {
    await using alice = await open(`${name} reloads`)
    await say(alice.page, '/slow 12\n/long 40')
    await until(async () => /\b3\b/.test((await lastText(alice.page)) ?? ''), 'the first words')
    await alice.page.reload()
    await until(async () => /\b6\b/.test((await lastText(alice.page)) ?? ''), 'the next words')
    await isReady(alice.page)
    expect(await lastText(alice.page)).toMatch(/\b40$/)
    expect(await alice.page.locator('li').count()).toBe(2)
    expect(alice.problems).toEqual([])
  })

  it.runIf('file' in source)('asks for the output of a tool, and goes on with it', async () => {
    await using alice = await open(`${name} calls`)
    await say(alice.page, '/tool weather {"city":"Wien"}')
    const status = alice.page.getByRole('status')
    await until(async () => (await status.textContent()) === 'action-required', 'the tool call')
    await alice.page.getByLabel('weather').fill('21 degrees')
    await alice.page.getByLabel('weather').press('Enter')
    await isReady(alice.page)
    expect(await lastText(alice.page)).toContain('21 degrees')
  })

  it.runIf('file' in source)('shows what the same user says elsewhere', async () => {
    await using here = await open(`${name} elsewhere`)
    await say(here.page, '/say first')
    await isReady(here.page)
    await using there = await open(`${name} elsewhere`, here.page.url())
    await until(async () => (await lastText(there.page)) === 'first', 'the messages so far')
    await say(there.page, '/say second')
    await until(async () => (await lastText(here.page)) === 'second', 'the answer elsewhere')
    expect(await here.page.locator('li p').allTextContents()).toEqual([
      '/say first',
      'first',
      '/say second',
      'second',
    ])
  })

  it('stops the reply, whose text stays', async () => {
    await using alice = await open(`${name} stops`)
    await say(alice.page, '/slow 10\n/long 400')
    await until(async () => /\b3\b/.test((await lastText(alice.page)) ?? ''), 'the first words')
    await alice.page.getByRole('button', { name: 'Stop' }).click()
    await isReady(alice.page)
    expect(await lastText(alice.page)).toMatch(/\b3\b/)
    await until(async () => {
      const { chats } = await system.emulator.state()
      return chats.at(-1)?.status !== 'in_progress'
    }, 'the platform to stop')
  })
})
