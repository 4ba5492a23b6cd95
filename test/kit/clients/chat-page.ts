import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { until } from '../process/until.ts'

/** A page of the gateway in a browser of somebody's own, in which nothing goes wrong unseen. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page
  /** Errors of its scripts and of its policy, and what it asked of other hosts. */
  readonly problems: readonly string[]
  /** Another tab of the same browser. */
  tab(): Promise<Page>
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext(options)
  const problems: string[] = []
  await context.route(
    (to) => to.origin !== new URL(url).origin,
    async (route) => {
      problems.push(`asked for ${route.request().url()}`)
      await route.abort()
    },
  )
  async function tab(): Promise<Page> {
    const page = await context.newPage()
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (line) => {
      // A stream that is cut is told as a failed request.
      if (line.type() === 'error' && !/net::ERR_/.test(line.text())) problems.push(line.text())
    })
    await page.goto(url)
    await page.locator('main').waitFor()
    return page
  }
  return { page: await tab(), problems, tab, [Symbol.asyncDispose]: () => context.close() }
}

/** What a user does in one pane of the chat page. */
export function paneOf(page: Page, name: string) {
  const pane = page.locator(`#pane-${name}`)
  const replies = pane.locator('.turn > .said:not(.by-user)')
  return {
    pane,
    replies,
    async say(text: string): Promise<Locator> {
      await until(
        async () => (await pane.locator('.who code').innerText()) !== '…' && !(await isBusy(pane)),
        'the chat to be loaded',
      )
      const before = await pane.locator('.turn').count()
      const field = pane.locator('.composer textarea')
      await field.fill(text)
      await field.press('Enter')
      const turn = pane.locator('.turn').nth(before)
      await turn.waitFor()
      return turn.locator('.said:not(.by-user)')
    },
    /** The whole answer, when it has ended. */
    async ask(text: string): Promise<string> {
      const reply = await this.say(text)
      await ended(reply)
      return await textOf(reply)
    },
  }
}

export async function ended(reply: Locator): Promise<void> {
  await until(
    async () => (await reply.count()) > 0 && !(await isBusy(reply)),
    'the reply to end',
    30_000,
  )
}

export async function textOf(reply: Locator): Promise<string> {
  const texts = await reply.locator(':scope > .text').allInnerTexts()
  return texts.join('\n')
}

async function isBusy(locator: Locator): Promise<boolean> {
  return (await locator.getAttribute('aria-busy')) === 'true'
}
