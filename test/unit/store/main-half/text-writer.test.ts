import { describe, expect, it } from 'vitest'
import { TextWriter } from '../../../../src/store/main-half/text-writer.ts'
import { createSpokenClient, done, failed } from '../../../kit/fakes/spoken-engine.ts'

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('the writer of texts', () => {
  it('F33: asks a store that fails four times a second whether it writes again, though no text waits, and then no more', async () => {
    const { client, clock, posted, answer, open } = createSpokenClient()
    open()
    const writer = new TextWriter(client, clock)
    const write = client.call('ping', { at: 1 })
    await nextTurn()
    answer(failed(1, 'full'))
    await expect(write).rejects.toMatchObject({ kind: 'full' })
    writer.retry()
    for (let id = 2; id < 5; id += 1) {
      expect(client.isFailing).toBe(true)
      clock.advance(250)
      await nextTurn()
      expect(posted.flat().map((call) => [call.id, call.method])).toContainEqual([id, 'ping'])
      answer(id === 4 ? done(id) : failed(id, 'full'))
      await nextTurn()
    }
    expect([client.isFailing, clock.pending]).toEqual([false, 0])
    writer.close()
  })
})
