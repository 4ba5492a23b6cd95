import { describe, expect, it } from 'vitest'
import { check } from '../kit/checker.ts'
import { openStage } from '../kit/stage.ts'
import { createTalk } from '../kit/talk.ts'

describe('a gateway whose event loop stands still', () => {
  it('F23: loses nothing: the reply that ended meanwhile is told as it was, on the same stream', async () => {
    await using stage = await openStage({ timeouts: { keepAliveMs: 200 } })
    const talk = createTalk(stage)
    const who = stage.person('stalled')
    await stage.emulator.faults('/v3/chat', { kind: 'gate', afterDeltas: 3 })
    const { id } = await talk.send(who, { text: '/long 200', assistantId: 'bot' })
    const followed = await talk.recorder.follow(stage.client, {
      reader: 'stalled',
      as: who.name,
      token: who.token,
      replyId: id,
    })
    await followed.take((event) => event.__typename === 'ReplyDelta')
    await stage.emulator.until({ gate: 'gate' })

    stage.gateway.signal('SIGSTOP')
    await stage.emulator.release()
    await stage.emulator.until({ chats: 1, status: 'completed' })
    stage.gateway.signal('SIGCONT')

    const events = await followed.take()
    expect(events.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    expect(await followed.stream.ended).toBe('complete')
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })
})
