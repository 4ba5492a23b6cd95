import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { ended, openPage, paneOf } from '../kit/clients/chat-page.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'

const axeScript = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))

const looks = [
  { name: 'light, English', colorScheme: 'light', locale: 'en-GB', width: 1280 },
  { name: 'dark, Chinese', colorScheme: 'dark', locale: 'zh-CN', width: 1280 },
  { name: 'dark, English, as wide as a phone', colorScheme: 'dark', locale: 'en-GB', width: 360 },
  { name: 'light, Chinese, as wide as a phone', colorScheme: 'light', locale: 'zh-CN', width: 360 },
  {
    name: 'light, English, as wide as a tablet',
    colorScheme: 'light',
    locale: 'en-GB',
    width: 820,
  },
] as const

describe('the pages of the demo, in Chromium', () => {
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

  /** What axe finds, each with the elements that it is about. */
  async function violationsOf(page: Page): Promise<readonly string[]> {
    await page.evaluate(await readFile(axeScript, 'utf8'))
    const results = await page.evaluate<AxeResults>('axe.run()')
    return results.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`,
    )
  }

  const overflow = (page: Page) =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

  it.each(looks)('are whole and can be used by everybody: $name', async ({ width, ...look }) => {
    // The policy would refuse the checker.
    const options = { ...look, viewport: { width, height: 800 }, bypassCSP: true }
    const isChinese = look.locale === 'zh-CN'
    await using chat = await openPage(browser, url, options)
    const alice = paneOf(chat.page, 'Alice')
    await ended(await alice.say('/fail 4024 no'))
    await ended(await alice.say('/think Hm.\nhello'))
    await ended(await alice.say('/choose Which size? | small | large'))
    expect(await chat.page.locator('html').getAttribute('lang')).toBe(isChinese ? 'zh' : 'en')
    expect(await chat.page.locator('h1').innerText()).toContain(isChinese ? '网关' : 'gateway')
    expect(await violationsOf(chat.page)).toEqual([])
    expect(await overflow(chat.page)).toBe(0)
    if (width < 720) {
      await chat.page.locator('.views button').last().click()
      expect(await violationsOf(chat.page)).toEqual([])
      expect(await overflow(chat.page)).toBe(0)
    }
    await using console = await openPage(browser, `${url}operator`, options)
    await console.page.locator('.tiles').waitFor()
    for (const fold of await console.page.locator('summary').all()) await fold.click()
    expect(await violationsOf(console.page)).toEqual([])
    expect(await overflow(console.page)).toBe(0)
    expect([...chat.problems, ...console.problems]).toEqual([])
  })

  /** How far its parts have moved by themselves since it was opened, as Chromium counts it: 0.1 is what users put up with. */
  const shiftOf = (page: Page) =>
    page.evaluate(async () => {
      const { promise, resolve } = Promise.withResolvers<PerformanceEntryList>()
      const observer = new PerformanceObserver((list) => resolve(list.getEntries()))
      observer.observe({ type: 'layout-shift', buffered: true })
      // Nothing is told where nothing has moved.
      setTimeout(() => resolve([]), 500)
      const entries = await promise
      observer.disconnect()
      return entries.reduce((sum, entry) => sum + Number(Reflect.get(entry, 'value')), 0)
    })

  it.each([1280, 360])('do not jump, %i pixels wide', async (width) => {
    const options = { viewport: { width, height: 800 } }
    await using chat = await openPage(browser, url, options)
    const alice = paneOf(chat.page, 'Alice')
    for (const text of ['/say short', '/speed 80 /long 150']) await alice.ask(text)
    expect(await shiftOf(chat.page)).toBeLessThan(0.02)
    await using console = await openPage(browser, `${url}operator`, options)
    await console.page.locator('.tiles').waitFor()
    expect(await shiftOf(console.page)).toBeLessThan(0.02)
  })

  it('can be used with the keyboard alone', async () => {
    await using window = await openPage(browser, url)
    const { page } = window
    await paneOf(page, 'Alice').pane.locator('.who code:not(:text("…"))').waitFor()
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').innerText()).toBe('Skip to the chat')
    await page.keyboard.press('Enter')
    const focused = () => page.evaluate('document.activeElement.getAttribute("name")')
    for (let tabs = 0; tabs < 60 && (await focused()) !== 'text'; tabs += 1) {
      await page.keyboard.press('Tab')
    }
    await page.keyboard.type('typed by hand')
    await page.keyboard.press('Enter')
    // It may be the answer to the last question of the tests before.
    await paneOf(page, 'Alice').replies.last().getByText('typed by hand').waitFor()
  })

  it('change their language at a click, and remember it', async () => {
    await using window = await openPage(browser, url)
    await window.page.getByRole('button', { name: '中文' }).click()
    await window.page.getByRole('button', { name: 'English' }).waitFor()
    await window.page.reload()
    await window.page.getByRole('button', { name: 'English' }).waitFor()
  })
})
