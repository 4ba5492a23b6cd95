import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { ended, openPage, paneOf, textOf } from '../kit/clients/chat-page.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'
import { until } from '../kit/process/until.ts'

/** The words of the stand-in for Coze, numbered so that a gap or a doubled piece shows. */
const numbered = /^(?:[a-z]+-\d+ ?)+$/

describe('the chat page of the demo, in Chromium', () => {
  let demo: RunningDemo
  let browser: Browser
  let url: string
  beforeAll(async () => {
    demo = await startDemo()
    browser = await openBrowser()
    url = /side by side: (\S+)/.exec(demo.welcome)?.[1] ?? ''
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await demo[Symbol.asyncDispose]()
  })

  const choose = (page: Page, assistant: string) =>
    page.getByRole('button', { name: assistant }).click()

  it.each(['Demo Workflow', 'Demo Bot'])(
    'P1: lets Alice and Bob chat at once with %s, and shows neither a word of the other',
    async (assistant) => {
      await using window = await openPage(browser, url)
      const { page, problems } = window
      await choose(page, assistant)
      const [alice, bob] = [paneOf(page, 'Alice'), paneOf(page, 'Bob')]
      const secrets = [alice, bob].map((_, index) => `canary${index}of${assistant.slice(5)}`)
      for (const text of [`my secret is `, 'what is my secret?']) {
        const told = (index: number) => (text.endsWith('?') ? text : `${text}${secrets[index]}`)
        const both = [await alice.say(told(0)), await bob.say(told(1))]
        await Promise.all(both.map(ended))
      }
      const [hers, his] = [await textOf(alice.replies.last()), await textOf(bob.replies.last())]
      expect([hers, his]).toEqual(secrets.map((secret) => `Your secret is ${secret}.`))
      expect(await alice.pane.innerText()).not.toContain(secrets[1])
      expect(await bob.pane.innerText()).not.toContain(secrets[0])
      const prints = await page.locator('.who code').allInnerTexts()
      expect(new Set(prints).size).toBe(2)
      expect(await page.locator('.keying').innerText()).toContain('Conversation')
      expect(problems).toEqual([])
    },
  )

  it('shows an answer grow, and goes on where it was when the connection is cut', async () => {
    await using window = await openPage(browser, url)
    const { page, problems } = window
    const alice = paneOf(page, 'Alice')
    const composer = alice.pane.locator('.composer')
    await composer.locator('textarea').fill('/speed 60 /long 150')
    const place = await composer.boundingBox()
    const reply = await alice.say('/speed 60 /long 150')
    const lengths = new Set<number>()
    for (let cuts = 0; cuts < 3; cuts += 1) {
      const before = (await textOf(reply)).length
      await until(async () => (await textOf(reply)).length > before, 'the answer to grow')
      lengths.add((await textOf(reply)).length)
      await alice.pane.getByRole('button', { name: 'Cut the connection' }).click()
    }
    expect((await composer.boundingBox())?.y).toBe(place?.y)
    await ended(reply)
    const text = await textOf(reply)
    expect(text).toMatch(numbered)
    expect(text.split(' ').map((word) => Number(word.split('-')[1]))).toEqual(
      Array.from({ length: 150 }, (_, index) => index + 1),
    )
    expect(lengths.size).toBeGreaterThan(1)
    await until(async () => (await alice.pane.innerText()).includes('Connected'), 'the stream')
    expect(problems).toEqual([])
  })

  it('goes on after a reload in mid-reply, with the history, in all tabs alike', async () => {
    await using window = await openPage(browser, url)
    const { page, problems } = window
    const other = await window.tab()
    const [here, there] = [paneOf(page, 'Bob'), paneOf(other, 'Bob')]
    await here.ask('Before the reload.')
    const reply = await here.say('/speed 60 /long 150')
    await until(async () => (await textOf(reply)).length > 0, 'the answer to grow')
    await page.reload()
    // Its place is there before its reply is followed again.
    const turn = here.pane.locator('.turn', { hasText: '/speed 60 /long 150' })
    const resumed = turn.locator('.said:not(.by-user)')
    await ended(resumed)
    await ended(there.replies.last())
    const shown = await textOf(resumed)
    expect(shown.split(' ')).toHaveLength(150)
    expect(await textOf(there.replies.last())).toBe(shown)
    expect(await here.pane.innerText()).toContain('You said: Before the reload.')
    // What the other tab says is here as well.
    await there.ask('From the other tab.')
    await until(
      async () => (await here.pane.innerText()).includes('You said: From the other tab.'),
      'the tabs to be in step',
    )
    expect(problems).toEqual([])
  })

  it('shows what was chosen last, although what was chosen before is still being read', async () => {
    await using window = await openPage(browser, url)
    const { page } = window
    const bob = paneOf(page, 'Bob')
    await bob.ask('/say in the first conversation')
    const held = Promise.withResolvers<void>()
    const isList = (body: string | null) => body?.includes('conversations(') === true
    await page.route('**/graphql', async (route) => {
      if (isList(route.request().postData())) await held.promise
      await route.continue()
    })
    await choose(page, 'Demo Workflow')
    await bob.pane.getByLabel('Conversation').selectOption({ label: 'New conversation' })
    const listed = page.waitForResponse((response) => isList(response.request().postData()))
    held.resolve()
    await listed
    await bob.ask('/say in the second conversation')
    expect(await bob.pane.locator('.turn').count()).toBe(1)
  })

  it('stops a reply and keeps what was said', async () => {
    await using window = await openPage(browser, url)
    const alice = paneOf(window.page, 'Alice')
    const reply = await alice.say('/long 500')
    await until(async () => (await textOf(reply)).length > 0, 'the answer to grow')
    await alice.pane.getByRole('button', { name: 'Stop' }).click()
    await ended(reply)
    expect(await reply.innerText()).toContain('Stopped')
    expect((await textOf(reply)).length).toBeGreaterThan(0)
  })

  it('answers questions, forms and tool calls', async () => {
    await using window = await openPage(browser, url)
    const { page, problems } = window
    await choose(page, 'Demo Workflow')
    const bob = paneOf(page, 'Bob')
    await bob.pane.getByLabel('Conversation').selectOption({ label: 'New conversation' })
    await ended(await bob.say('/choose Which size? | small | large'))
    await bob.pane.getByRole('button', { name: 'large' }).click()
    await until(
      async () => (await bob.pane.innerText()).includes('You answered "Which size?" with: large'),
      'the answer',
    )
    await ended(await bob.say('/form Where to? | city:string! | nights:integer'))
    await bob.pane.getByLabel('city').fill('Kunming')
    await bob.pane.getByLabel('nights').fill('2')
    await bob.pane.getByRole('button', { name: 'Send the form' }).click()
    await until(async () => (await bob.pane.innerText()).includes('Kunming'), 'the form')
    await choose(page, 'Demo Bot')
    const reply = await bob.say('/tool weather')
    await bob.pane.getByLabel('weather').fill('sunny')
    await bob.pane.getByRole('button', { name: 'Return the output' }).click()
    await ended(reply)
    expect(await textOf(reply)).toContain('weather said: sunny')
    expect(problems).toEqual([])
  })

  it('sends a file along, and an opinion back', async () => {
    await using window = await openPage(browser, url)
    const { page, problems } = window
    await choose(page, 'Demo Bot')
    const alice = paneOf(page, 'Alice')
    const file = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }
    await alice.pane.locator('input[type=file]').setInputFiles(file)
    await until(
      async () => (await alice.pane.locator('.files').innerText()).trim() === 'notes.txt',
      'the upload',
    )
    const reply = await alice.say('/files')
    await ended(reply)
    expect(await textOf(reply)).toContain('notes.txt (5 bytes)')
    const like = reply.getByRole('button', { name: 'Good answer' })
    await like.click()
    await until(async () => (await like.getAttribute('aria-pressed')) === 'true', 'the rating')
    expect(problems).toEqual([])
  })

  it('sends a file along that is still on its way when its message is sent', async () => {
    await using window = await openPage(browser, url)
    const { page } = window
    await choose(page, 'Demo Bot')
    const alice = paneOf(page, 'Alice')
    const held = Promise.withResolvers<void>()
    await page.route('**/graphql', async (route) => {
      const type = route.request().headers()['content-type']
      if (type?.startsWith('multipart/form-data') === true) await held.promise
      await route.continue()
    })
    const file = { name: 'late.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }
    await alice.pane.locator('input[type=file]').setInputFiles(file)
    await alice.pane.locator('.files').waitFor()
    const field = alice.pane.locator('.composer textarea')
    await field.fill('/files')
    await field.press('Enter')
    held.resolve()
    await alice.pane.getByText('late.txt (5 bytes)').waitFor()
    expect(await alice.pane.locator('.files').count()).toBe(0)
  })

  it('tells a screen reader whole sentences, once each', async () => {
    await using window = await openPage(browser, url)
    const { page } = window
    const region = page.locator('[aria-live=polite]')
    await paneOf(page, 'Alice').ask('/say One is said. Two is said. Three')
    expect(await region.locator('p').allInnerTexts()).toEqual([
      'One is said.',
      'Two is said.',
      'Three',
    ])
  })

  it('says what failed in the words of a person', async () => {
    await using window = await openPage(browser, url)
    const alice = paneOf(window.page, 'Alice')
    const reply = await alice.say('/fail 4024 secret reason')
    await ended(reply)
    const text = await reply.innerText()
    expect(text).toMatch(/Coze/)
    expect(text).not.toMatch(/UPSTREAM_|4024|at \S+:\d+/)
  })
})
