import { expect, it } from 'vitest'
import type { FaultInput } from '../../src/emulator/faults.ts'
import { createGuard } from '../../src/isolation/guard.ts'
import { answerOf, createHistory, createRun } from '../kit/fakes/runs.ts'
import { chatsOf, type StrategyEntry, type StrategySystem, upstreamOf } from './strategy-system.ts'

/** What a strategy must make of an upstream that fails. */
export function testStrategyFaults(system: StrategySystem, entry: StrategyEntry): void {
  const { signal, newSession, begin, talk, next } = system

  it.runIf(entry.platform === 'cloud')(
    'F3: mints once and repeats once when the token is refused',
    async () => {
      const session = newSession('alice')
      const begun = await begin(session)
      await system.emulator.faults(entry.runPath, { kind: 'revokeTokens' })
      const { answer } = await talk(begun, 'hi')
      expect(answer).toBe('You said: hi')
      expect(chatsOf(await system.emulator.state(), session)).toHaveLength(1)

      await system.emulator.repeatFaults(entry.runPath, 2, { kind: 'revokeTokens' })
      const { error } = await talk(next(begun), 'hi')
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        failure: { code: 'UPSTREAM_AUTH', retryable: false },
      })
    },
  )

  it.runIf(entry.platform === 'studio')(
    'F3: tells at once that the one token is refused',
    async () => {
      const session = newSession('alice')
      const begun = await begin(session)
      await system.emulator.faults(entry.runPath, { kind: 'revokeTokens' })
      const { error } = await talk(begun, 'hi')
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        failure: { code: 'UPSTREAM_AUTH', retryable: false },
      })
      expect(chatsOf(await system.emulator.state(), session)).toHaveLength(0)
      expect((await talk(next(begun), 'hi')).answer).toBe('You said: hi')
    },
  )

  it.runIf(entry.platform === 'cloud')(
    'F3: mints once for concurrent refusals of a session',
    async () => {
      const session = newSession('alice')
      const before = (await system.emulator.state()).assertions.length
      const begun = await Promise.all(
        Array.from({ length: 8 }, async (_, index) => begin(session, `conv-${index}`)),
      )
      const first = await Promise.all(begun.map(async (each) => talk(each, 'hi')))
      expect((await system.emulator.state()).assertions).toHaveLength(before + 1)
      await system.emulator.revokeTokens()
      const again = await Promise.all(first.map(async (each) => talk(next(each), 'hi')))
      expect(again.map(({ answer }) => answer)).toEqual(Array(8).fill('You said: hi'))
      expect((await system.emulator.state()).assertions).toHaveLength(before + 2)
    },
  )

  it.each([
    ['with a final newline', { kind: 'jsonError', code: 4011, finalNewline: true }],
    ['without one', { kind: 'jsonError', code: '4011', finalNewline: false }],
    ['with a status of its own', { kind: 'jsonError', code: 4011, status: 400 }],
  ] as const)('F8: reads a JSON error instead of a stream (%s)', async (_, fault) => {
    const begun = await begin(newSession('alice'))
    await system.emulator.faults(entry.runPath, fault)
    const { events, error } = await talk(begun, 'hi')
    expect(events).toEqual([])
    expect(error).toMatchObject({
      outcome: 'not-accepted',
      upstreamCode: '4011',
      logId: expect.stringMatching(/./),
      failure: { code: 'UPSTREAM_QUOTA' },
    })
  })

  it.each([
    ['mid-event', { kind: 'cut', afterDeltas: 3, where: 'mid-event' }],
    ['between events', { kind: 'cut', afterDeltas: 3, where: 'between' }],
    ['properly, without a terminal', { kind: 'noTerminal' }],
  ] as const)(
    'F9: keeps what came before a cut %s, and never takes a part for the whole',
    async (_, fault) => {
      const begun = await begin(newSession('alice'))
      await system.emulator.faults(entry.runPath, fault)
      const cut = await talk(begun, '/long 20')
      expect(cut.error).toMatchObject({
        outcome: 'unseen',
        failure: { code: 'UPSTREAM_TRUNCATED', retryable: true },
      })
      const whole = (await talk(await begin(newSession('bob')), '/long 20')).answer
      expect(whole.startsWith(cut.answer)).toBe(true)
      expect(cut.answer).not.toBe('')

      for (const chatId of [cut.events[0]?.chatId, undefined]) {
        const recovered = await system.strategy.recover(
          { ...cut.run, ...upstreamOf(cut), chatId, shown: cut.answer, isFinished: false },
          signal,
        )
        if (!entry.provesEnds) {
          expect(recovered).toEqual({ type: 'unknown' })
          continue
        }
        const events = recovered.type === 'found' ? recovered.events : []
        expect(answerOf(events)).toBe(whole)
        expect(events.at(-1)?.type).toBe('completed')
        const guard = createGuard({
          conversationId: upstreamOf(cut).upstreamConversationId,
          chatId: cut.events[0]?.chatId,
        })
        for (const event of events) guard.check(event)
      }
    },
  )

  it.each([
    ['{}', undefined],
    ['internal error', undefined],
    ['{"code":"4013"}', '4013'],
  ])('F18: an error event ends the run, whatever its data is: %s', async (data, upstreamCode) => {
    const begun = await begin(newSession('alice'))
    await system.emulator.faults(entry.runPath, { kind: 'errorEvent', data })
    const { answer, error } = await talk(begun, '/say one two three')
    expect(answer).toBe('one ')
    expect(error).toMatchObject({
      outcome: 'ended',
      upstreamCode,
      failure: { code: 'UPSTREAM_ERROR' },
    })
  })

  it.each([
    ['chats that carry an empty required_action', { kind: 'emptyAction' }],
    ['times that are texts', { kind: 'textTimes' }],
  ] as const)('takes the answer whole from %s', async (_, fault) => {
    const begun = await begin(newSession('alice'))
    await system.emulator.faults(entry.runPath, fault)
    const { answer, events, error } = await talk(begun, 'hi')
    expect(error).toBeUndefined()
    expect(answer).toBe('You said: hi')
    expect(events.at(-1)).toMatchObject({ type: 'completed' })
  })

  it("shows nothing of the platform's own plugins and notes", async () => {
    const begun = await begin(newSession('alice'))
    const text = '/verbose knowledge_recall\n/plugin weather {"of":"Rome"}\n/say sunny'
    const { answer, error } = await talk(begun, text)
    expect(error).toBeUndefined()
    expect(answer).toBe('sunny')
  })

  it('F9: finds only our run, whatever was said after it', async () => {
    const begun = await begin(newSession('alice'))
    const history = createHistory(begun.run, ['older', 'older answer'])
    const fault: FaultInput = entry.isStoredUnread
      ? { kind: 'cut', afterDeltas: 1 }
      : { kind: 'noTerminal' }
    await system.emulator.faults(entry.runPath, fault)
    const cut = await talk(begun, '/say first words of many', { history })
    const later = await talk(next(cut), '/say second')
    expect(later.answer).toBe('second')
    const isKnown = !entry.isFoundByReplyId
    const chatId = isKnown ? cut.events[0]?.chatId : undefined
    const where = { ...upstreamOf(cut), chatId, shown: cut.answer }
    // As a stream would have announced it that was cut a little later.
    const lost = { ...cut.run, ...where, isFinished: true }
    const recovered = await system.strategy.recover(lost, signal)
    expect(recovered.type === 'found' && answerOf(recovered.events)).toBe('first words of many')
    const never = { ...createRun(cut.run.session.name, 'reply-3'), ...where, chatId: undefined }
    expect(await system.strategy.recover({ ...never, isFinished: true }, signal)).toEqual({
      type: 'unknown',
    })
  })

  it.each<[string, FaultInput]>([
    ['another chat', { kind: 'foreignChat', afterDeltas: 2 }],
    ['another conversation', { kind: 'foreignConversation', afterDeltas: 2 }],
  ])('F16: tells whose event it is, so that the guard stops one of %s', async (_, fault) => {
    const begun = await begin(newSession('alice'))
    await system.emulator.faults(entry.runPath, fault)
    const { error, answer } = await talk(begun, '/long 20')
    expect(error).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
    // What two pieces said, however many reads they came in.
    expect(answer).toBe('stone-1 lamp-2 ')
  })

  it('F16: tells where it runs, so that the guard stops a run in a shared conversation', async () => {
    const first = await talk(await begin(newSession('alice')), 'hi')
    const shared = upstreamOf(first).upstreamConversationId ?? ''
    const own = next(await talk(await begin(newSession('bob')), 'hi'))
    await system.emulator.faults(entry.runPath, {
      kind: 'sharedConversation',
      conversationId: shared,
    })
    const { error, events } = await talk(own, 'hi')
    expect(error).toMatchObject({ failure: { code: 'ISOLATION_BREACH' } })
    expect(events).toEqual([])
  })

  it.each(['', '0', 'absent'] as const)(
    'T14: fails a run without a conversation id (%j)',
    async (value) => {
      const begun = await begin(newSession('alice'))
      await system.emulator.faults(entry.runPath, { kind: 'missingConversation', value })
      const { error, events } = await talk(begun, 'hi')
      expect(error).toMatchObject({ failure: { code: 'UPSTREAM_PROTOCOL' } })
      expect(events).toEqual([])
    },
  )

  it.runIf(entry.platform === 'cloud')('F17: waits its turn in a busy conversation', async () => {
    const first = await talk(await begin(newSession('alice')), 'hi')
    await system.emulator.faults(entry.runPath, { kind: 'pause', afterDeltas: 1 })
    const running = talk(next(first), '/say one two')
    await system.emulator.until({ held: 'pause' })
    const { requests } = await system.emulator.state()
    const asked = requests[`POST ${entry.runPath}`] ?? 0
    const waiting = talk(next(first, 'reply-3'), '/say three')
    await system.emulator.until({ path: entry.runPath, requests: asked + 1 })
    await system.emulator.release('pause')
    expect((await running).answer).toBe('one two')
    expect((await waiting).answer).toBe('three')
  })

  it.runIf(entry.platform === 'cloud')(
    'F17: gives up on a conversation that stays busy',
    async () => {
      const impatient = entry.open({ ...system.parts, busyWaitMs: 200 })
      const first = await talk(await begin(newSession('alice')), 'hi')
      await system.emulator.faults(entry.runPath, { kind: 'pause', afterDeltas: 1 })
      const running = talk(next(first), '/say one two')
      await system.emulator.until({ held: 'pause' })
      const { error } = await talk(next(first, 'reply-3'), 'hi', { by: impatient })
      expect(error).toMatchObject({
        outcome: 'not-accepted',
        upstreamCode: '4016',
        failure: { code: 'CONVERSATION_BUSY', retryable: true },
      })
      await system.emulator.release('pause')
      expect((await running).answer).toBe('one two')
    },
  )

  it('F18: tells a failed chat and an error event with the code of the upstream', async () => {
    for (const command of ['/fail', '/error'] as const) {
      const begun = await begin(newSession('alice'))
      const { answer, error } = await talk(begun, `/say so far\n${command} 4013 overloaded`)
      expect(answer).toBe('so far')
      expect(error).toMatchObject({
        outcome: 'ended',
        upstreamCode: entry.failureCodes[command],
        failure: { code: 'UPSTREAM_ERROR' },
      })
      expect(JSON.stringify(error)).not.toContain('overloaded')
    }
  })

  const { actionRequest } = entry
  if (actionRequest !== undefined) {
    it('F18: tells that the upstream waits for somebody', async () => {
      const { events, error } = await talk(await begin(newSession('alice')), actionRequest)
      expect(error).toBeUndefined()
      expect(events.at(-1)?.type).toBe('action-required')
    })
  }

  const nobodys = { type: 'id', conversationId: '7000000000000000001' } as const
  if (entry.withoutConversation === 'refused') {
    it('F41: says that a stored conversation is gone, or is not ours', async () => {
      const foreign = await talk(await begin(newSession('bob')), 'my secret is heron')
      // Sessions that are one upstream identity own each other's conversations there.
      for (const upstream of entry.platform === 'cloud' ? [nobodys, foreign.upstream] : [nobodys]) {
        const run = createRun(newSession('alice'))
        const { error, events } = await talk({ run, upstream }, 'what is my secret?')
        expect(events).toEqual([])
        // A Studio tells of it as of any failure.
        const outcome = entry.platform === 'cloud' ? 'not-accepted' : 'ended'
        expect(error).toMatchObject({ outcome, conversationGone: true })
      }
    })
  } else {
    it('F41: tells where a run goes on whose stored conversation is gone', async () => {
      const run = createRun(newSession('alice'))
      const asked = await talk({ run, upstream: nobodys }, 'hi', { mayMove: true })
      expect(asked).toMatchObject({ answer: 'You said: hi', error: undefined })
      expect(asked.upstream).toMatchObject({ type: 'id' })
      expect(asked.upstream).not.toEqual(nobodys)
    })
  }
}
