import { describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem } from '../kit/process/system.ts'
import { createTalk } from '../kit/clients/talk.ts'

describe('a gateway whose event loop stands still', () => {
  it('F23: loses nothing: the reply that ended meanwhile is told as it was, on the same stream', async () => {
    await using system = await startSystem({ timeouts: { keepAliveMs: 200 } })
    const talk = createTalk(system)
    const who = system.person('stalled')
    await system.emulator.faults('/v3/chat', { kind: 'pause', afterDeltas: 3 })
    const { id } = await talk.send(who, { text: '/long 200', assistantId: 'bot' })
    const followed = await talk.recorder.follow(system.client, {
      reader: 'stalled',
      as: who.name,
      token: who.token,
      replyId: id,
    })
    await followed.take((event) => event.__typename === 'ReplyDelta')
    await system.emulator.until({ held: 'pause' })

    system.gateway.signal('SIGSTOP')
    await system.emulator.release()
    await system.emulator.until({ chats: 1, status: 'completed' })
    system.gateway.signal('SIGCONT')

    const events = await followed.take()
    expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    expect(await followed.stream.ended).toBe('complete')
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})
