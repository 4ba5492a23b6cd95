import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseMarkdown, root } from '../docs/markdown.ts'
import { openBrowser } from '../kit/clients/browser.ts'
import { openPage, paneOf } from '../kit/clients/chat-page.ts'
import { openApplication } from '../kit/process/application.ts'
import { openCuttingProxy } from '../kit/process/cutting-proxy.ts'
import { startDemo } from '../kit/process/demo.ts'
import { until } from '../kit/process/until.ts'

it("README's lines, typed into an empty folder, are a chat that streams, resumes and is nobody else's", async () => {
  const readme = parseMarkdown('README.md', await readFile(new URL('README.md', root), 'utf8'))
  const commands = readme.blocks.find(({ text }) => text.includes('npm init'))?.text ?? ''
  const program = readme.blocks.find(({ language }) => language === 'tsx')?.text ?? ''
  expect(program.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(20)

  await using stack = new AsyncDisposableStack()
  const application = stack.use(await openApplication())
  const write = (text: string) => writeFile(join(application.directory, 'app.tsx'), text)
  await write(program)
  const [install = '', page = '', serve = ''] = commands.split('\n').slice(1)
  await application.run('sh', '-ec', `${install}\n${page}`)
  const server = application.start('sh', '-c', `exec ${serve.replace('=8000', '=127.0.0.1:0')}`)
  stack.defer(async () => {
    const exited = once(server, 'exit')
    server.kill()
    await exited
  })
  let printed = ''
  for (const output of [server.stdout, server.stderr])
    output?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const origin = await until(
    () => /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0],
    `the page to be served: ${printed}`,
  )

  const bin = join(application.directory, 'node_modules/.bin/coze-graphql-gateway')
  const demo = stack.use(await startDemo({ program: bin, origin }))
  const [gateway = ''] = /http:\/\/[^/\s]+/.exec(demo.commandsOf('Alice').send) ?? []
  const proxy = stack.use(await openCuttingProxy(() => 6_000))
  proxy.forwardTo(gateway)
  const browser = stack.adopt(await openBrowser(), (opened) => opened.close())

  async function open(name: 'Alice' | 'Bob') {
    const [, token = ''] = /Bearer ([\w.-]+)/.exec(demo.commandsOf(name).send) ?? []
    await write(program.replace('TOKEN', token).replace('http://localhost:4000', proxy.url))
    const opened = await (await browser.newContext()).newPage()
    await opened.goto(origin)
    return {
      say: async (text: string) => {
        await opened.locator('input').fill(text)
        await opened.locator('input').press('Enter')
      },
      answer: async () => (await opened.locator('p.ASSISTANT').allTextContents()).at(-1) ?? '',
      text: async () => await opened.locator('body').innerText(),
    }
  }

  const alice = await open('Alice')
  const bob = await open('Bob')
  await alice.say('/long 60')
  await until(async () => /-3\b/.test(await alice.answer()), 'the first words')
  expect(await alice.answer()).not.toMatch(/-60$/)
  await until(async () => (await alice.answer()).endsWith('-60'), 'the last word')
  const numbers = (await alice.answer()).match(/\d+/g)?.map(Number)
  expect(numbers).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
  expect(proxy.cuts).toBeGreaterThan(0)
  await alice.say('my secret is swordfish')
  await until(async () => (await alice.answer()).includes('swordfish'), 'the answer')
  await bob.say('what is my secret?')
  await until(async () => (await bob.answer()) !== '', 'the answer to Bob')
  expect(await bob.text()).not.toContain('swordfish')

  // The page of the demo is in the package too.
  await using window = await openPage(browser, `${gateway}/`)
  expect(await paneOf(window.page, 'Alice').ask('/say from the package')).toBe('from the package')
  expect(window.problems).toEqual([])
})
