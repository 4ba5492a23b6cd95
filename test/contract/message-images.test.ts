import { describe, expect, it } from 'vitest'
import { InvalidInputError, NotSupportedError } from '../../src/errors.ts'
import { assistant, message, openEngine } from '../kit/fakes/engine.ts'

const cat = 'https://images.example.com/cat.png?signature=x'
const helper = { ...assistant, imageHosts: ['images.example.com', '*.cdn.example.com'] }
const open = () => openEngine({ assistants: [helper] })
const images = (...imageUrls: readonly string[]) => message('What is this?', { imageUrls })

describe('an image by URL', () => {
  it('G13: goes to the assistant without an upload, and is kept with its message', async () => {
    await using gateway = await open()
    const { replies, strategy, own } = gateway
    const dog = 'https://eu.cdn.example.com/dog.png'
    const reply = await replies.sendMessage(images(cat, dog))
    const run = await strategy.next()
    expect(run.request).toMatchObject({ imageUrls: [cat, dog], attachments: [] })
    const [kept] = await own.messages([reply.messageId])
    expect(kept).toMatchObject({ text: 'What is this?', imageUrls: [cat, dog] })
  })

  it.each([
    ['over plain http', 'http://images.example.com/cat.png'],
    ['of another scheme', 'data:image/png;base64,AAAA'],
    ['that is none', 'cat.png'],
    ['that is longer than 2,048 characters', `https://images.example.com/${'x'.repeat(2_048)}`],
    ['of a host that is not allowed', 'https://example.com/cat.png'],
    ['of a host whose name only ends like an allowed one', 'https://evilcdn.example.com/cat.png'],
    ['of the host above those that are allowed', 'https://cdn.example.com/cat.png'],
    ['that names the allowed host as a user', 'https://images.example.com@evil.example/cat.png'],
    ['with a user before the allowed host', 'https://user@images.example.com/cat.png'],
    ['of another port', 'https://images.example.com:8443/cat.png'],
    ['that ends its host with a backslash', 'https://evil.example\\.cdn.example.com/cat.png'],
  ])('is refused: one %s', async (_what, url) => {
    await using gateway = await open()
    const sent = gateway.replies.sendMessage(images(cat, url))
    await expect(sent).rejects.toBeInstanceOf(InvalidInputError)
    await expect(sent).rejects.not.toThrow('evil')
  })

  it('is refused where the assistant takes none', async () => {
    await using gateway = await openEngine()
    const sent = gateway.replies.sendMessage(images(cat))
    await expect(sent).rejects.toBeInstanceOf(NotSupportedError)
  })

  it('counts as an attachment of its message', async () => {
    await using gateway = await openEngine({ assistants: [helper], limits: { maxAttachments: 2 } })
    await gateway.replies.sendMessage(images(cat, cat))
    const sent = gateway.replies.sendMessage(images(cat, cat, cat))
    await expect(sent).rejects.toThrow('at most 2 attachments')
  })
})
