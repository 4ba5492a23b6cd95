import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { ended, openPage, paneOf } from '../kit/clients/chat-page.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'
import { until } from '../kit/process/until.ts'

describe("the operators' console of the demo, in Chromium", () => {
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

  it('shows each assistant, what it does of what it may, and what was counted, and no text', async () => {
    await using chat = await openPage(browser, url)
    await paneOf(chat.page, 'Alice').ask('my secret is quince')
    await using window = await openPage(browser, `${url}operator`)
    const { page, problems } = window
    const flow = page.getByRole('region', { name: 'Demo Workflow' })
    await flow.waitFor()
    expect(await flow.innerText()).toMatch(/Permits\s+0 of 1000/)
    expect(await flow.innerText()).toContain('Closed: called as usual')
    await flow.getByText('What keeps sessions apart').click()
    expect(await flow.innerText()).toContain('conversation_id')
    const counts = page.getByRole('region', { name: 'Counts' })
    expect(await counts.innerText()).toMatch(/Completed\s+1/)
    expect(await page.locator('body').innerText()).not.toContain('quince')
    expect(problems).toEqual([])
  })

  it('explains a reply that the chat page names', async () => {
    await using chat = await openPage(browser, url)
    const reply = await paneOf(chat.page, 'Bob').say('hello')
    await ended(reply)
    const link = reply.getByRole('link', { name: 'How this reply came to be' })
    const href = (await link.getAttribute('href')) ?? ''
    await using window = await openPage(browser, new URL(href, url).href)
    const shown = window.page.getByRole('region', { name: 'How did a reply come to be?' })
    await shown.locator('.explanation').waitFor()
    expect(await shown.innerText()).toMatch(/Strategy\s+Workflow/)
    await shown.getByLabel('Id of the reply').fill('unknown')
    await shown.getByRole('button', { name: 'Explain' }).click()
    await shown.getByText('There is no such reply').waitFor()
    expect(window.problems).toEqual([])
  })

  it('T13: shows a breach with its evidence, probes with progress, and clears the quarantine', async () => {
    await using chat = await openPage(browser, url)
    await chat.page
      .getByRole('combobox', { name: 'Break the platform' })
      .selectOption('Static conversation')
    await chat.page.getByRole('button', { name: 'Let Alice and Bob try it' }).click()
    await chat.page.getByText('Stopped by the guard').first().waitFor()

    await using window = await openPage(browser, `${url}operator`)
    const { page, problems } = window
    page.on('dialog', (dialog) => void dialog.accept())
    const breaches = page.getByRole('region', { name: 'Breaches' })
    await breaches.getByText('Demo Workflow').waitFor()
    const prints = await chat.page.locator('.who code').allInnerTexts()
    for (const print of prints) expect(await breaches.innerText()).toContain(print)
    expect(await breaches.innerText()).toMatch(/Remedy[\s\S]*静态会话/)

    await chat.page.getByRole('combobox', { name: 'Break the platform' }).selectOption('No leak')
    await chat.page.getByRole('button', { name: 'Let Alice and Bob try it' }).waitFor({
      state: 'detached',
    })
    const probes = page.getByRole('region', { name: 'Probes' }).first()
    await probes.getByRole('button', { name: 'Probe all' }).click()
    await probes.getByRole('progressbar').waitFor()
    await probes
      .getByText(/trial 1 of/)
      .first()
      .waitFor()
    await probes.getByText(/Isolated Demo Workflow/).waitFor({ timeout: 60_000 })
    expect(await probes.innerText()).toMatch(/Isolated Demo Bot/)

    const flow = page.getByRole('region', { name: 'Demo Workflow' })
    await flow.getByRole('button', { name: 'Clear the quarantine' }).click()
    await breaches.getByText('No breach is open.').waitFor()
    await until(async () => (await flow.innerText()).includes('In service'), 'the assistant')
    expect(problems).toEqual([])
  })
})
