import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { startSystem, type Person } from '../kit/process/system.ts'
import { createTalk, type Talk } from '../kit/clients/talk.ts'
import { json } from '../kit/process/upstream-faults.ts'
import type { ReplyEventData } from '../kit/clients/recorder.ts'

const count = 200

/** Somebody with a secret of their own, who tells it and asks for it. */
interface Teller {
  readonly who: Person
  readonly secret: string
}

/** All that everybody was ever shown, of whichever end. */
async function converse(talk: Talk, { who, secret }: Teller) {
  const shown: ReplyEventData[] = []
  for (const text of [`my secret is ${secret}`, 'what is my secret?']) {
    const sent = await talk.trySend(who, { text, assistantId: 'flow' })
    if (sent?.__typename !== 'SendMessageSuccess') continue
    shown.push(...(await talk.listen(who, sent.reply.id)))
  }
  return shown
}

const endsOf = (events: readonly ReplyEventData[]) =>
  events.filter(({ __typename }) => /Completed|Failed|Cancelled/.test(__typename))

describe('an app with one static conversation, and 200 sessions at once', () => {
  const quiet = {
    limits: { messagesPerMinute: 1_000 },
    emulator: { leaks: { staticConversation: true } },
  }
  const bot = { strategy: 'auto', fallback: { botId: '7003' } }

  it.each([
    ['quarantine', {}],
    ['alert', { onBreach: 'alert' }],
    ['fallback', { ...bot, onBreach: 'fallback' }],
  ])('T13: shows no text of one to another, under %s', async (onBreach, flow) => {
    await using system = await startSystem({
      ...quiet,
      flow: { ...flow, quota: { startsPerSecond: 10_000 } },
    })
    const talk = createTalk(system)
    const tellers = Array.from({ length: count }, (_, at) => ({
      who: system.person(`teller-${at}`),
      secret: `plum${randomUUID().replaceAll('-', '')}`,
    }))
    const shown = await Promise.all(tellers.map((teller) => converse(talk, teller)))

    for (const [at, events] of shown.entries()) {
      const text = JSON.stringify(events)
      const others = tellers.filter(
        (_, other) => other !== at && text.includes(tellers[other]?.secret ?? ''),
      )
      expect(others.map(({ who }) => who.name)).toEqual([])
    }
    const ends = shown.map(endsOf)
    const breached = ends.filter((of) =>
      of.some((end) => end.__typename === 'ReplyFailed' && end.failure.code === 'ISOLATION_BREACH'),
    )
    expect(breached.length).toBeGreaterThan(0)
    const secrets = tellers.map(({ secret }) => secret)
    expect(secrets.filter((secret) => system.gateway.output.includes(secret))).toEqual([])

    if (onBreach !== 'fallback') return
    // Everybody is served, by the Bot; who was not told of the breach is known to it.
    for (const [at, of] of ends.entries()) {
      const secret = tellers[at]?.secret ?? ''
      const text = breached.includes(of) ? expect.any(String) : expect.stringContaining(secret)
      expect(of.at(-1)).toMatchObject({ __typename: 'ReplyCompleted', text })
    }
    // The first two that met are told, and nobody else.
    expect(breached.length).toBeLessThanOrEqual(2)
  })
})

describe('an app with one static conversation that is known by its first run only', () => {
  it('T13: shows nobody what was said there in a run that nobody saw', async () => {
    await using system = await startSystem({
      emulator: { leaks: { staticConversation: true } },
      workflow: { conversationKeying: 'name' },
    })
    const talk = createTalk(system)
    const [alice, bob] = [system.person('alice'), system.person('bob')]
    const secret = `plum${randomUUID()}`
    await system.emulator.faults('/v1/workflows/chat', { kind: 'lostReply' })
    expect(await talk.say(alice, `my secret is ${secret}`)).toMatchObject({
      failure: { code: 'UPSTREAM_OUTCOME_UNKNOWN' },
    })
    const sent = await talk.send(bob, 'what is my secret?')
    const events = await talk.listen(bob, sent.id)
    expect(events.at(-1)).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
    expect(JSON.stringify(events)).not.toContain(secret)
  })

  it.each([
    ['', []],
    [', also where nothing is listed', [json(4000)]],
  ] as const)('serves who is alone there%s', async (_, faults) => {
    await using system = await startSystem({ workflow: { conversationKeying: 'name' } })
    const talk = createTalk(system)
    if (faults.length > 0) {
      await system.emulator.repeatFaults('/v1/conversation/message/list', 10, ...faults)
    }
    const [alice, bob] = [system.person('alice'), system.person('bob')]
    for (const [who, secret] of [
      [alice, 'plum'],
      [bob, 'pear'],
    ] as const) {
      await talk.say(who, `my secret is ${secret}`)
      expect(await talk.say(who, 'what is my secret?')).toMatchObject({
        text: `Your secret is ${secret}.`,
      })
    }
  })
})
