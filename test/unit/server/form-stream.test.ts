import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openFormStream } from '../../../src/server/graphql/form-stream.ts'
import { heldBytes } from '../../kit/process/held-heap.ts'

const head = [
  '--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}\r\n',
  '--b\r\ncontent-disposition: form-data; name="0"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\n',
].join('')
const tail = '\r\n--b--\r\n'
const limits = { maxFields: 2, maxFieldBytes: 1_000, maxFileBytes: 1e6, maxBytes: 1e6 }

describe('form stream', () => {
  it('a file that comes in tiny pieces holds no more memory with each of them', async () => {
    const pieces = 50_000
    const held: number[] = []
    async function* body() {
      yield Buffer.from(head)
      const piece = Buffer.from('x')
      for (let sent = 0; sent < pieces; sent += 1) {
        if (sent % (pieces / 2) === 0) held.push(heldBytes())
        yield piece
        if (sent % 100 === 0) await turn()
      }
      held.push(heldBytes())
      yield Buffer.from(tail)
    }
    const form = openFormStream(body(), 'multipart/form-data; boundary=b', limits)
    const { file } = await form.head
    let bytes = 0
    for await (const chunk of file.content) bytes += chunk.length
    expect(bytes).toBe(pieces)
    const [, halfway = 0, end = 0] = held
    expect((end - halfway) / (pieces / 2)).toBeLessThan(16)
  })
})
