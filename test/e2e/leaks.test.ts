import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { openPage, type OpenPage } from '../kit/clients/chat-page.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'
import { until } from '../kit/process/until.ts'

/** The name of each leak on the page, and what the page shows of it when it is probed. */
const leaks: readonly (readonly [leak: string, shows: RegExp])[] = [
  ['Static conversation', /ConversationWorkflowLeaking.*Cause: .*静态会话.*Remedy: /],
  ['Shared names', /The gateway needs no change: its names cannot be guessed/],
  ['Foreign conversations', /The gateway needs no change: /],
  ['Shared variables', /VariablesWorkflowLeaking.*Cause: .*Remedy: /],
  ['Shared memory', /Long-term memoryWorkflowLeaking.*Cause: .*Remedy: /],
  ['Shared question', /Pending questionWorkflowLeaking.*Cause: .*Remedy: /],
  ['Fixed node names', /Long-term memoryWorkflowLeaking.*Cause: .*Remedy: /],
  ['Unfiltered knowledge', /KnowledgeWorkflowLeaking.*Cause: .*Remedy: /],
]

describe('a platform that leaks, on the chat page in Chromium', () => {
  let demo: RunningDemo
  let browser: Browser
  let window: OpenPage
  let page: Page
  beforeAll(async () => {
    demo = await startDemo()
    browser = await openBrowser()
    window = await openPage(browser, /side by side: (\S+)/.exec(demo.welcome)?.[1] ?? '')
    page = window.page
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await demo[Symbol.asyncDispose]()
  })

  /** The panel does nothing else meanwhile. */
  const idle = async () => {
    const select = page.getByRole('combobox', { name: 'Break the platform' })
    await until(async () => await select.isEnabled(), 'the panel to be done', 60_000)
  }

  const choose = async (leak: string) => {
    await idle()
    await page.getByRole('combobox', { name: 'Break the platform' }).selectOption(leak)
    await idle()
  }
  const panel = () => page.locator('#isolation')

  it("T13: shows the guard's stop for what it is", async () => {
    await choose('Static conversation')
    await panel().getByRole('button', { name: 'Let Alice and Bob try it' }).click()
    await page.locator('#pane-Bob').getByText('Stopped by the guard').waitFor()
    await idle()
    expect(await panel().locator('.badges').innerText()).toBe('Breached\nOut of service')
    expect(await page.locator('#pane-Bob').innerText()).not.toContain('swordfish')
  })

  it.each(leaks)(
    'shows what the probe finds of "%s", its cause and remedy',
    async (leak, shows) => {
      await choose(leak)
      await panel().getByRole('button', { name: 'Probe now' }).click()
      await panel()
        .getByText(/At most \d+ calls/)
        .waitFor()
      await idle()
      expect(await panel().textContent()).toMatch(shows)
      await page.getByRole('button', { name: '中文' }).click()
      await page.getByRole('button', { name: 'English' }).waitFor()
      const inChinese = await panel().textContent()
      const inEnglish = await panel().locator('[lang=en]').allInnerTexts()
      await page.getByRole('button', { name: 'English' }).click()
      expect(inChinese).toContain('参见 docs/isolation.md#')
      expect(inEnglish).toEqual([])
      expect(window.problems).toEqual([])
    },
  )

  it('is mended at a click, and proven again', async () => {
    await panel().getByRole('button', { name: 'Mend it' }).click()
    await panel().getByRole('progressbar').waitFor()
    await idle()
    expect(await panel().locator('.badges').innerText()).toBe('Isolated\nIn service')
    expect(window.problems).toEqual([])
  })
})
