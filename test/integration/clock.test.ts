import { describe, expect, it } from 'vitest'
import { check } from '../kit/history/checker.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { until } from '../kit/process/until.ts'

const chatPaths = { flow: '/v1/workflows/chat', bot: '/v3/chat' } as const
const assistants = ['flow', 'bot'] as const
const minuteMs = 60_000

/** Loaded into the gateway: each SIGUSR2 sets its wall clock by the next of these, counted from the true time. */
const jumpingClock = (jumps: readonly number[]) => `
  const now = Date.now.bind(Date)
  const jumps = ${JSON.stringify(jumps)}
  process.on('SIGUSR2', () => {
    const ms = jumps.shift()
    Date.now = () => now() + ms
    process.stderr.write('the clock is off by ' + ms + '\\n')
  })`

describe('a wall clock that jumps', () => {
  it('F40: while replies run: none is lost, doubled or out of order, and tokens are minted all the same', async () => {
    const jumps = [10 * minuteMs, -60 * minuteMs, -10 * minuteMs, 0]
    const script = encodeURIComponent(jumpingClock(jumps))
    await using system = await startSystem({
      env: { NODE_OPTIONS: `--import=data:text/javascript,${script}` },
    })
    const talk = createTalk(system)
    const old = system.person('as ever')
    await talk.say(old, 'my colour is blue')
    for (const [at, ms] of jumps.entries()) {
      const held = await Promise.all(
        assistants.map((assistantId) => hold(system, talk, assistantId, `held ${at}`)),
      )
      system.gateway.signal('SIGUSR2')
      const told = `the clock is off by ${ms}\n`
      await until(() => system.gateway.output.includes(told), 'the clock to jump')
      await system.emulator.release()
      for (const { events } of held) {
        const all = await events()
        expect(all.at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
      }
      // A session whose token is minted by the new time.
      const newcomer = system.person(`newcomer ${at}`)
      expect(await talk.say(newcomer, 'hello')).toMatchObject({ text: 'You said: hello' })
      expect(await talk.say(old, 'what is my colour?')).toMatchObject({
        text: 'Your colour is blue.',
      })
    }
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
    expect(system.gateway.output).not.toContain('SUBSCRIPTION_TOKEN_EXPIRED')
  })

  /** A reply that is held upstream, and somebody who follows it. */
  async function hold(
    system: System,
    talk: Talk,
    assistantId: keyof typeof chatPaths,
    name: string,
  ) {
    const who = system.person(`${assistantId} ${name}`)
    await system.emulator.faults(chatPaths[assistantId], {
      kind: 'pause',
      afterDeltas: 3,
      name: assistantId,
    })
    const { id } = await talk.send(who, { text: '/long 12', assistantId })
    const followed = await talk.recorder.follow(system.client, {
      reader: who.name,
      as: who.name,
      token: who.token,
      replyId: id,
    })
    await system.emulator.until({ held: assistantId })
    return { events: () => followed.take() }
  }
})
