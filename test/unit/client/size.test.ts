import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { bundleOf } from '../../kit/clients/client-bundle.ts'

it('the client is as small, minified and compressed, as the documents say', async () => {
  const docs = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8')
  const [, stated = ''] = /([\d.]+) kB minified and compressed/.exec(docs) ?? []
  const bytes = gzipSync(await bundleOf('createChatClient'), { level: 9 }).length
  expect(bytes).toBeLessThanOrEqual(Number(stated) * 1000)
})

it('a program that has the one transport does not carry the others', async () => {
  const text = new TextDecoder().decode(await bundleOf('createChatClient'))
  expect(text).not.toContain('graphql-transport-ws')
  expect(text).not.toContain('enableChunked')
})
