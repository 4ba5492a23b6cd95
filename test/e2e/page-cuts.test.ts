import { expect, it } from 'vitest'
import { createChatClient, fetchTransport, listConversations } from '../../src/client/client.ts'
import { openBrowser } from '../kit/clients/browser.ts'
import { ended, openPage, paneOf, textOf } from '../kit/clients/chat-page.ts'
import { startDemo } from '../kit/process/demo.ts'
import { openRelay } from '../kit/process/relay.ts'
import { until } from '../kit/process/until.ts'
import { createRandom } from '../kit/random.ts'

const cuts = 50
const words = 2_400

it('the chat page shows a reply whole whose connection is cut 50 times, in two tabs, one of which is reloaded', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = createRandom(seed)
  await using demo = await startDemo()
  const [, url = ''] = /side by side: (\S+)/.exec(demo.welcome) ?? []
  await using relay = await openRelay(Number(new URL(url).port))
  await using browser = await openBrowser()
  await using window = await openPage(browser, `http://127.0.0.1:${relay.port}/`)
  const other = await window.tab()
  const [here, there] = [paneOf(window.page, 'Alice'), paneOf(other, 'Alice')]

  const first = await here.say(`/speed 80 /long ${words}`)
  await there.pane.locator('.turn').first().waitFor()
  for (let cut = 1; cut <= cuts; cut += 1) {
    const shown = cut % 2 === 0 ? here.replies.last() : there.replies.last()
    const before = (await textOf(shown)).length
    const more = random.between(1, 300)
    await until(async () => (await textOf(shown)).length >= before + more, `${seed}: text ${cut}`)
    relay.cut()
    if (cut === cuts / 2) {
      await window.page.reload()
      await here.pane.locator('.turn').first().waitFor()
    }
  }
  expect(await first.getAttribute('aria-busy'), 'the reply lasts longer than the cuts').toBe('true')
  for (const pane of [here, there]) await ended(pane.replies.last())

  const [, token = ''] = /Bearer ([\w.-]+)/.exec(demo.commandsOf('Alice').send) ?? []
  const chat = createChatClient({
    url: `${url}graphql`,
    token: () => token,
    transport: fetchTransport(),
  })
  const { nodes } = await listConversations(chat)
  const { nodes: messages } = await chat.conversation(nodes[0]?.id ?? '').messages()
  chat.close()
  const stored = messages.at(-1)?.text ?? ''
  expect(stored.split(' ')).toHaveLength(words)
  for (const pane of [here, there])
    expect(await textOf(pane.replies.last()), `seed ${seed}`).toBe(stored)
  expect(window.problems).toEqual([])
})
