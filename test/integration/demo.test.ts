import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCurl } from '../kit/clients/curl.ts'
import { type RunningDemo, startDemo } from '../kit/process/demo.ts'

describe.each(['cloud', 'studio'] as const)('the commands that the demo prints (%s)', (dialect) => {
  let demo: RunningDemo
  beforeAll(async () => {
    demo = await startDemo({ dialect })
  }, 300_000)
  afterAll(() => demo[Symbol.asyncDispose]())

  it.each(['workflow', 'bot'])(
    'let Alice hear her secret back and Bob not (%s)',
    async (assistantId) => {
      const [alice, bob] = [demo.commandsOf('Alice'), demo.commandsOf('Bob')]
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

  it('tells of the one identity of a Studio', () => {
    expect(demo.welcome.includes('one personal token')).toBe(dialect === 'studio')
  })

  it('names a page that a browser can open', async () => {
    const [url = ''] = /http:\/\/\S+\/graphql/.exec(demo.welcome) ?? []
    using page = await runCurl(`curl -s ${url} -H 'accept: text/html'`)
    await page.shows(/<\/html>/)
  })
})
