import { setImmediate as settled } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { OneAtATime } from '../../../src/lib/one-at-a-time.ts'

/** Works that begin when they are asked, and end when they are told. */
function open() {
  const works = new OneAtATime<string>()
  const running = new Map<string, () => void>()
  const begin = (owner: string, name: string, signal = new AbortController().signal) =>
    works.run(
      owner,
      () => new Promise<string>((resolve) => running.set(name, () => resolve(name))),
      signal,
    )
  const end = async (name: string) => {
    running.get(name)?.()
    running.delete(name)
    await settled()
  }
  return { works, begin, end, running: () => [...running.keys()] }
}

describe('works of one owner', () => {
  it('are done one after another, in the order in which they were asked for', async () => {
    const { works, begin, end, running } = open()
    const all = ['first', 'second', 'third'].map((name) => begin('alice', name))
    for (const name of ['first', 'second', 'third']) {
      await settled()
      expect(running()).toEqual([name])
      await end(name)
    }
    expect(await Promise.all(all)).toEqual(['first', 'second', 'third'])
    expect(works.isBusy('alice')).toBe(false)
  })

  it('keep no other owner waiting', async () => {
    const { works, begin, running } = open()
    void begin('alice', 'hers')
    void begin('bob', 'his')
    await settled()
    expect(running()).toEqual(['hers', 'his'])
    expect(works.isBusy('carol')).toBe(false)
  })

  it('go on after one that failed', async () => {
    const works = new OneAtATime<string>()
    const { signal } = new AbortController()
    const failed = works.run('alice', () => Promise.reject(new Error('broken')), signal)
    const next = works.run('alice', async () => 'done', signal)
    await expect(failed).rejects.toThrow('broken')
    expect(await next).toBe('done')
  })

  it('are not waited for by one that was given up, nor does it let the next go before its turn', async () => {
    const { begin, end, running } = open()
    const giveUp = new AbortController()
    const first = begin('alice', 'first')
    const second = begin('alice', 'second', giveUp.signal)
    const third = begin('alice', 'third')
    giveUp.abort(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
    await settled()
    expect(running()).toEqual(['first'])
    await end('first')
    expect(running()).toEqual(['third'])
    await end('third')
    expect(await Promise.all([first, third])).toEqual(['first', 'third'])
  })
})
