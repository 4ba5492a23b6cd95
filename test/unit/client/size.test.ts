import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { bundleOf } from '../../kit/clients/bundle.ts'

const docs = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8')
const sizeOf = async (...names: readonly string[]) =>
  gzipSync(await bundleOf(...names), { level: 9 }).length

it('the client has at most 4,000 bytes, minified and compressed', async () => {
  expect(await sizeOf('createChatClient')).toBeLessThanOrEqual(4_000)
})

const stated = [...docs.matchAll(/^\| `(\w+)` \|.*\| ([\d.]+) kB \|$/gm)]

it.each(stated.map(([, name = '', size]) => [name, Number(size)] as const))(
  'a program that adds %s to the client has at most %s kB, as the documents say',
  async (name, size) => {
    const bytes = await sizeOf('createChatClient', name)
    expect(bytes).toBeLessThanOrEqual(size * 1_000)
    expect(bytes).toBeGreaterThan((size - 0.15) * 1_000)
  },
)

it('the documents state the size of the client with each of its transports', () => {
  expect(stated.map(([, name]) => name)).toEqual(
    expect.arrayContaining([
      'fetchTransport',
      'browserTransport',
      'webSocketTransport',
      'miniProgramTransport',
    ]),
  )
})

it('a program has the transport that it names, and no other', async () => {
  const [bare, browser] = [
    await bundleOf('createChatClient'),
    await bundleOf('createChatClient', 'browserTransport'),
  ]
  for (const word of ['text/event-stream', 'BroadcastChannel', 'XMLHttpRequest'])
    expect(bare).not.toContain(word)
  for (const word of ['graphql-transport-ws', 'enableChunked', 'rateAnswer'])
    expect(browser).not.toContain(word)
})
