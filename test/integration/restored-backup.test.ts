import { copyFile, rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { startSystem, type Person } from '../kit/process/system.ts'

it('F44: a store that is restored from a backup gives no cursor of the lost life to other content, and no conversation to another session', async () => {
  await using system = await startSystem()
  const talk = createTalk(system)
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => system.person(name))
  if (!alice || !bob || !carol) throw new Error('three people')

  /** The status of a stream that goes on after a cursor. */
  async function resume(who: Person, after: string): Promise<number> {
    const query = RepliesDocument.toString()
    using stream = await system.client.stream({ token: who.token, query, lastEventId: after })
    return stream.status
  }

  await talk.say(alice, 'my secret is plum')
  const kept = await talk.cursor(alice)
  await system.gateway.kill('SIGTERM')
  const backup = `${system.storeFile}.backup`
  await copyFile(system.storeFile, backup)

  // What is lost: a reply of Alice, and all that Bob ever said.
  await system.gateway.restart()
  const lost = await talk.send(alice, { text: 'what is my secret?', idempotencyKey: 'lost' })
  await talk.ending(alice, lost.id)
  await talk.say(bob, 'my secret is pear')
  const cursors = [await talk.cursor(alice), await talk.cursor(bob)] as const
  await system.gateway.kill('SIGKILL')
  for (const suffix of ['-wal', '-shm']) await rm(system.storeFile + suffix, { force: true })
  await copyFile(backup, system.storeFile)
  await system.gateway.restart()

  expect(await resume(alice, kept)).toBe(200)
  expect([await resume(alice, cursors[0]), await resume(bob, cursors[1])]).toEqual([410, 410])
  expect(await talk.snapshot(alice, lost.id)).toBeUndefined()

  // Other content comes to have the numbers that the lost events had.
  await talk.say(carol, 'my secret is fig')
  const again = await talk.send(alice, { text: 'what is my secret?', idempotencyKey: 'lost' })
  expect(again.id).not.toBe(lost.id)
  expect(await talk.ending(alice, again.id)).toMatchObject({ text: 'Your secret is plum.' })
  expect(await talk.say(bob, 'what is my secret?')).toMatchObject({
    __typename: 'ReplyCompleted',
    text: expect.not.stringContaining('plum'),
  })
  await talk.say(bob, 'hello')
  expect([await resume(alice, cursors[0]), await resume(bob, cursors[1])]).toEqual([410, 410])
  expect(await resume(alice, kept)).toBe(200)
  expect(system.gateway.output).not.toContain('isolation breach')
})
