import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCurl } from '../kit/curl.ts'
import { until } from '../kit/until.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

describe('the commands that the demo prints', () => {
  const stack = new AsyncDisposableStack()
  let welcome = ''
  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'demo-'))
    stack.defer(() => rm(directory, { recursive: true, force: true }))
    const args = [cli, 'demo', '--port', '0', '--data', join(directory, 'demo.db')]
    const demo = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    stack.defer(async () => {
      const exited = once(demo, 'exit')
      demo.kill('SIGTERM')
      await exited
    })
    demo.stdout.on('data', (chunk: Buffer) => (welcome += chunk.toString()))
    await until(() => welcome.includes('Ctrl-C'), 'the demo to say how it is used', 60_000)
  }, 90_000)
  afterAll(() => stack.disposeAsync())

  /** The commands of one caller, in the order in which they are printed. */
  function commandsOf(name: 'Alice' | 'Bob') {
    const all = welcome.split('\n').filter((line) => line.startsWith('curl '))
    const [stream = '', send = ''] = name === 'Alice' ? all : all.slice(2)
    return { stream, send }
  }

  it.each(['workflow', 'bot'])(
    'let Alice hear her secret back and Bob not (%s)',
    async (assistantId) => {
      const [alice, bob] = [commandsOf('Alice'), commandsOf('Bob')]
      expect(alice.send).toContain('my secret is swordfish')
      const sends = (command: string, text?: string) =>
        command
          .replace('"assistantId":"workflow"', `"assistantId":"${assistantId}"`)
          .replace(/"text":"[^"]*"/, (told) => (text === undefined ? told : `"text":"${text}"`))
      using aliceHears = await runCurl(alice.stream)
      using bobHears = await runCurl(bob.stream)
      for (const command of [sends(alice.send), sends(alice.send, 'what is my secret?')]) {
        using sent = await runCurl(command)
        await sent.shows(/"SendMessageSuccess"/)
      }
      await aliceHears.shows(/"text":"Your secret is swordfish\."/)
      using sent = await runCurl(sends(bob.send, 'what is my secret?'))
      await sent.shows(/"SendMessageSuccess"/)
      await bobHears.shows(/"text":"I do not know your secret\."/)
      expect(bobHears.output).not.toContain('swordfish')
    },
  )

  it('names a page that a browser can open', async () => {
    const [url = ''] = /http:\/\/\S+\/graphql/.exec(welcome) ?? []
    using page = await runCurl(`curl -s ${url} -H 'accept: text/html'`)
    await page.shows(/<\/html>/)
  })
})
