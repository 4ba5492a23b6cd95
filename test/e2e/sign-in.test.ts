import { randomUUID } from 'node:crypto'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../kit/clients/browser.ts'
import { openPage, paneOf } from '../kit/clients/chat-page.ts'
import { startSystem, type System } from '../kit/process/system.ts'

describe('the pages of a gateway that is no demo, in Chromium', () => {
  let system: System
  let browser: Browser
  beforeAll(async () => {
    const guests = { key: randomUUID() }
    system = await startSystem({ config: { pages: { chat: true, operator: true }, guests } })
    browser = await openBrowser()
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await system[Symbol.asyncDispose]()
  })

  async function signIn(page: Page, token: string) {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }

  it('ask for a token, keep it in its tab, and forget it at a click', async () => {
    await using window = await openPage(browser, `${system.gateway.url}/`)
    const { page } = window
    await signIn(page, 'not-a-token')
    await page.getByText('You are not signed in').waitFor()
    await signIn(page, system.person('alice').token)
    const field = page.getByRole('textbox', { name: 'Message as You' })
    await field.fill('hello')
    await field.press('Enter')
    await page.locator('.by-assistant .text').getByText('You said: hello').waitFor()
    await page.reload()
    await page.locator('.by-assistant .text').getByText('You said: hello').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Token').waitFor()
    expect(await page.content()).not.toContain('hello')
  })

  it('let guests in, each with a session of their own, which a reload keeps', async () => {
    const fingerprints: string[] = []
    for (const text of ['hello', 'and hello']) {
      await using window = await openPage(browser, `${system.gateway.url}/`)
      const { page, problems } = window
      await page.getByRole('button', { name: 'Continue as a guest' }).click()
      const guest = paneOf(page, 'You')
      expect(await guest.ask(text)).toBe(`You said: ${text}`)
      await page.reload()
      await guest.replies.getByText(`You said: ${text}`).waitFor()
      expect(await guest.pane.locator('.turn').count()).toBe(1)
      fingerprints.push(await guest.pane.locator('.who code').innerText())
      expect(problems).toEqual([])
    }
    expect(new Set(fingerprints).size).toBe(2)
  })

  it('show operators the console, and nobody else', async () => {
    await using window = await openPage(browser, `${system.gateway.url}/operator`)
    const { page, problems } = window
    await signIn(page, system.person('alice').token)
    await page.getByText('This token has not the operators’ scope.').waitFor()
    await signIn(page, system.tokenFor('operator', 600, 'coze-gateway:operator'))
    await page.getByRole('region', { name: 'Counts' }).waitFor()
    expect(problems).toEqual([])
  })
})
