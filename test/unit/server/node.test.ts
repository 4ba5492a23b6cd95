import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { fromNodeRequest } from '../../../src/server/node/node.ts'

function receive(maxBytes = 10) {
  const req = new IncomingMessage(new Socket())
  return { req, body: fromNodeRequest(req, () => 'graphql').readBody(maxBytes) }
}

describe('the body of a Node request', () => {
  it('is read whole', async () => {
    const { req, body } = receive()
    for (const part of ['one', 'two', null]) req.push(part)
    expect(Buffer.from(await body).toString()).toBe('onetwo')
  })

  it('is refused when the connection goes before its end', async () => {
    const { req, body } = receive()
    req.push('one')
    req.destroy()
    await expect(body).rejects.toMatchObject({ status: 400 })
  })

  it('is refused as soon as it is larger than allowed', async () => {
    const { req, body } = receive()
    req.push('one two three')
    await expect(body).rejects.toMatchObject({ status: 413 })
  })

  it('T16: is refused when it comes byte by byte, which takes a hundred times its room', async () => {
    const { req, body } = receive(1_000_000)
    const refused = expect(body).rejects.toMatchObject({ status: 413 })
    for (let n = 0; n < 20_000; n += 1) req.push('x')
    await refused
  })
})
