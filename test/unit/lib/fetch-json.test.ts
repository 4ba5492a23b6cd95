import { describe, expect, it, onTestFinished } from 'vitest'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'

const fetchJson = createFetchJson()

const never = new AbortController().signal
const open = async () => {
  const server = await openKeyServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

describe('fetchJson', () => {
  it('answers what the document says', async () => {
    const { url } = await open()
    const options = { timeoutMs: 5_000, maxBytes: 100, signal: never }
    expect(await fetchJson(url, options)).toEqual({ keys: [] })
  })

  it('gives up when the answer does not end in time', async () => {
    const server = await open()
    server.answer((response) => response.write('{"keys":'))
    const options = { timeoutMs: 20, maxBytes: 100, signal: never }
    await expect(fetchJson(server.url, options)).rejects.toThrow()
  })

  it('ends with its signal', async () => {
    const server = await open()
    const controller = new AbortController()
    server.answer((response) => {
      response.write('{"keys":')
      controller.abort(new Error('enough'))
    })
    const options = { timeoutMs: 60_000, maxBytes: 100, signal: controller.signal }
    await expect(fetchJson(server.url, options)).rejects.toThrow()
  })

  it('stops reading at the limit, even of a body that never ends', async () => {
    const server = await open()
    server.answer((response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(1_000)));
        response.once('drain', more)
      }
      more()
    })
    const options = { timeoutMs: 60_000, maxBytes: 10_000, signal: never }
    await expect(fetchJson(server.url, options)).rejects.toThrow('larger than 10000 bytes')
  })

  it.each([204, 301, 404, 500])('refuses the status %d', async (status) => {
    const server = await open()
    server.answer((response) => response.writeHead(status).end())
    const options = { timeoutMs: 5_000, maxBytes: 100, signal: never }
    await expect(fetchJson(server.url, options)).rejects.toThrow(`HTTP status ${status}`)
  })
})
