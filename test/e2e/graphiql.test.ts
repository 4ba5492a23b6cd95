import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UnauthenticatedError } from '../../src/errors.ts'
import { openBrowser } from '../kit/clients/browser.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'
import { type FakeGateway, openFakeGateway } from '../kit/fakes/gateway.ts'
import { until } from '../kit/process/until.ts'

describe('GraphiQL of the demo, in Chromium', () => {
  let demo: RunningDemo
  let browser: Browser
  let url: string
  beforeAll(async () => {
    demo = await startDemo()
    browser = await openBrowser()
    url = /http:\/\/\S+\/graphql/.exec(demo.welcome)?.[0] ?? ''
  }, 90_000)
  afterAll(async () => {
    await browser.close()
    await demo[Symbol.asyncDispose]()
  })

  /** A window of somebody's own, in which nothing goes wrong unseen and nothing is fetched from elsewhere. */
  async function open(token?: string, query = '') {
    const context = await browser.newContext()
    const problems: string[] = []
    await context.route(
      (to) => to.origin !== new URL(url).origin,
      async (route) => {
        problems.push(`asked for ${route.request().url()}`)
        await route.abort()
      },
    )
    if (token !== undefined) {
      await context.route('**/graphql', async (route) => {
        const headers = { ...route.request().headers(), authorization: `Bearer ${token}` }
        await route.continue({ headers })
      })
    }
    const page = await context.newPage()
    page.on('pageerror', (error) => problems.push(error.message))
    await page.goto(`${url}${query}`)
    await page.getByRole('tab', { name: 'SendMessage' }).waitFor()
    return { page, problems, [Symbol.asyncDispose]: () => context.close() }
  }

  it('says something and shows the answer grow, in one tab', async () => {
    await using window = await open()
    const grown: string[] = []
    await run(window.page, 'SendMessage')
    await until(async () => {
      const now = await shown(window.page)
      const [, answer] = /"text": "([^"]*)"/.exec(now) ?? []
      if (answer !== undefined && answer !== grown.at(-1)) grown.push(answer)
      return now.includes('"status": "COMPLETED"')
    }, 'the answer')
    expect(await shown(window.page)).toContain('SendMessageSuccess')
    expect(grown[0]).toBe('')
    expect(grown.length).toBeGreaterThan(2)
    expect(grown.at(-1)).toContain('You said: My favourite colour is teal')
    expect(window.problems).toEqual([])
  })

  it('begins in a second window as in the first, with the operations and the credential', async () => {
    const context = await browser.newContext()
    for (let count = 0; count < 2; count += 1) {
      const page = await context.newPage()
      await page.goto(url)
      await page.getByRole('tab', { name: 'SendMessage' }).waitFor()
      await page.getByRole('button', { name: /^Execute query/ }).waitFor()
      expect(await page.getByRole('tab').allInnerTexts()).toEqual(
        expect.arrayContaining(['SendMessage', 'Replies', 'Overview']),
      )
      expect(await page.getByRole('tab', { name: /untitled/i }).count()).toBe(0)
      await run(page, 'Overview')
      await until(async () => (await shown(page)).includes('"viewer"'), 'the overview')
    }
    await context.close()
  })

  it('opens a link that has a query with that query in its first tab, and runs it at a click', async () => {
    await using window = await open(undefined, '?query=query%20Linked%20%7Bviewer%7BisGuest%7D%7D')
    expect(await shown(window.page)).toBe('')
    await run(window.page, 'Linked')
    await until(async () => (await shown(window.page)).includes('"isGuest": false'), 'the result')
    expect(window.problems).toEqual([])
  })

  it('says in a sentence what went wrong, without a stack', async () => {
    await using window = await open('not-a-token')
    await run(window.page, 'Overview')
    await until(async () => (await shown(window.page)).includes('UNAUTHENTICATED'), 'the refusal')
    await window.page.route('**/graphql', (route) => route.abort())
    await window.page.getByRole('button', { name: /^Execute query/ }).click()
    await until(async () => (await shown(window.page)).includes('cannot be reached'), 'the failure')
    expect(await shown(window.page)).not.toMatch(/\bat \S+:\d+:\d+|TypeError|stack/)
  })

  it('says something in one window and follows the answer in another, of one user', async () => {
    await using listening = await open()
    await run(listening.page, 'Replies')
    await until(
      async () => (await listening.page.getByRole('button', { name: /^Stop query/ }).count()) > 0,
      'the stream to run',
    )
    await using speaking = await open()
    await run(speaking.page, 'SendMessage')
    await until(
      async () => (await shown(speaking.page)).includes('SendMessageSuccess'),
      'the mutation to be answered',
    )
    await until(
      async () => /You said: My favourite colour is teal/.test(await shown(listening.page)),
      'the answer to be shown',
    )
    expect([...listening.problems, ...speaking.problems]).toEqual([])
  })

  it('shows one user nothing of another, side by side', async () => {
    const [, bob = ''] = /Bearer (\S+)'/.exec(demo.commandsOf('Bob').stream) ?? []
    await using alices = await open()
    await using bobs = await open(bob)
    for (const { page } of [alices, bobs]) {
      await run(page, 'Overview')
      await until(async () => (await shown(page)).includes('"viewer"'), 'the overview')
    }
    const [hers, his] = [await shown(alices.page), await shown(bobs.page)]
    expect(hers).toContain('teal')
    expect(his).not.toContain('teal')
    expect(his).toMatch(/"nodes": \[\]/)
    const sessionOf = (text: string) => /"sessionFingerprint": "([^"]+)"/.exec(text)?.[1]
    expect(sessionOf(hers)).not.toBe(sessionOf(his))
    expect([...alices.problems, ...bobs.problems]).toEqual([])
  })
})

describe('GraphiQL without a credential, in Chromium', () => {
  it('says where the token goes, and that the one in its place is none', async () => {
    await using browser = await openBrowser()
    const challenge = () => 'Bearer'
    const authenticate = async () => {
      throw new UnauthenticatedError('The token is not a signed JWT.')
    }
    await using gateway = await openFakeGateway({ authenticator: { authenticate, challenge } })
    const page = await browser.newPage()
    await page.goto(gateway.url)
    await run(page, 'Overview')
    await until(async () => (await shown(page)).includes('UNAUTHENTICATED'), 'the refusal')
    const written = await page.locator('.graphiql-query-editor .view-lines').innerText()
    expect(written.replaceAll('\u00a0', ' ')).toContain('in place of TOKEN, in Headers')
  })
})

describe('GraphiQL under a prefix, in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  }, 90_000)
  afterAll(() => browser.close())

  const hosts: readonly (readonly [string, string, (gateway: FakeGateway) => RequestListener])[] = [
    [
      'a router that takes its prefix away',
      '/api/graphql',
      ({ server }) =>
        (req, res) =>
          server.handle(
            Object.assign(req, { url: req.url?.replace('/api/graphql', '') || '/' }),
            res,
          ),
    ],
    [
      'a router that leaves its prefix',
      '/api/graphql/',
      ({ server }) =>
        (req, res) =>
          server.handle(req, res),
    ],
    [
      'the setting "path"',
      '/api/graphql',
      ({ server }) =>
        (req, res) =>
          server.serve(req, res),
    ],
  ]

  it.each(hosts)('is whole and works behind %s: %s', async (_what, path, listener) => {
    await using gateway = await openFakeGateway({
      path: '/api/graphql',
      graphiqlHeaders: { authorization: 'Bearer alice' },
    })
    const server = createServer((req, res) => {
      if (req.url?.startsWith('/api/graphql')) listener(gateway)(req, res)
      else res.writeHead(404).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { port } = server.address() as AddressInfo
      const page = await browser.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('response', (response) => {
        if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`)
      })
      await page.goto(`http://127.0.0.1:${port}${path}`)
      await page.getByRole('tab', { name: 'SendMessage' }).waitFor()
      await run(page, 'Overview')
      await until(
        async () => (await shown(page)).includes('"sessionFingerprint": "alice"'),
        'the overview',
      )
      expect(problems).toEqual([])
      await page.close()
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})

/** The tabs can be clicked before the editor listens, and a click has no effect before there is an editor for the result. */
async function run(page: Page, tab: string) {
  await page.locator('.graphiql-response .view-lines').waitFor({ state: 'attached' })
  const text = page.locator('.graphiql-query-editor .view-lines')
  await until(async () => {
    await page.getByRole('tab', { name: tab }).click()
    return (await text.innerText()).includes(`${tab}\u00a0{`)
  }, `the tab "${tab}"`)
  const begun = page
    .getByRole('button', { name: /^Stop query/ })
    .or(page.locator('.graphiql-response .view-line', { hasText: /\S/ }))
  await until(async () => {
    await page.getByRole('button', { name: /^Execute query/ }).click()
    // A click has no effect either before the editor has told the page of the document.
    return await begun
      .first()
      .waitFor({ timeout: 3_000 })
      .then(
        () => true,
        () => false,
      )
  }, `the operation "${tab}" to begin`)
}

async function shown(page: Page) {
  return (await page.locator('.graphiql-response .view-lines').innerText()).replaceAll(
    '\u00a0',
    ' ',
  )
}
