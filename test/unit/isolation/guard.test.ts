import { describe, expect, it } from 'vitest'
import { type GuardedEvent, createGuard } from '../../../src/isolation/guard.ts'

const unknown = { conversationId: undefined, chatId: undefined }
const event = (type: string, chatId = 'chat-1', conversationId = 'conv-1'): GuardedEvent => ({
  type,
  chatId,
  conversationId,
})
const failure = (code: string) =>
  expect.objectContaining({ failure: expect.objectContaining({ code }) })

describe('guard', () => {
  it('lets every event of the run pass', () => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: undefined })
    for (const type of ['accepted', 'delta', 'accepted', 'message', 'completed']) {
      expect(() => guard.check(event(type))).not.toThrow()
    }
  })

  it('learns the conversation of a named run from its first event, and holds it to that', () => {
    const guard = createGuard(unknown)
    guard.check(event('accepted'))
    guard.check(event('delta'))
    expect(() => guard.check(event('delta', 'chat-1', 'conv-2'))).toThrow(
      failure('ISOLATION_BREACH'),
    )
  })

  it.each([
    ['another chat', event('delta', 'chat-2')],
    ['another conversation', event('delta', 'chat-1', 'conv-2')],
    ['another chat, completed', event('completed', 'chat-2')],
    ['a second run accepted on the same stream', event('accepted', 'chat-2')],
  ])('F16 T14: refuses an event of %s', (_, foreign) => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: undefined })
    guard.check(event('accepted'))
    expect(() => guard.check(foreign)).toThrow(failure('ISOLATION_BREACH'))
    expect(() => guard.check(event('delta'))).not.toThrow()
  })

  it('F16: refuses a run that is accepted in another conversation than the bound one', () => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: undefined })
    expect(() => guard.check(event('accepted', 'chat-1', 'conv-2'))).toThrow(
      failure('ISOLATION_BREACH'),
    )
    expect(() => guard.check(event('delta', 'chat-1', 'conv-2'))).toThrow(
      failure('ISOLATION_BREACH'),
    )
  })

  it('T26: lets a run that may move tell where it goes on, once', () => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: undefined, mayMove: true })
    guard.check(event('accepted', 'chat-1', 'conv-2'))
    guard.check(event('delta', 'chat-1', 'conv-2'))
    for (const conversationId of ['conv-1', 'conv-3']) {
      expect(() => guard.check(event('delta', 'chat-1', conversationId))).toThrow(
        failure('ISOLATION_BREACH'),
      )
    }
  })

  it('T26: takes the first event of a run that could move for its last word', () => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: undefined, mayMove: true })
    guard.check(event('accepted'))
    expect(() => guard.check(event('delta', 'chat-1', 'conv-2'))).toThrow(
      failure('ISOLATION_BREACH'),
    )
  })

  it('F16: refuses a recovered run of another chat than the recorded one', () => {
    const guard = createGuard({ conversationId: 'conv-1', chatId: 'chat-1' })
    expect(() => guard.check(event('accepted', 'chat-2'))).toThrow(failure('ISOLATION_BREACH'))
  })

  it.each(['', '0'])('takes the id %j for a protocol error, never for a binding', (id) => {
    expect(() => createGuard(unknown).check(event('accepted', 'chat-1', id))).toThrow(
      failure('UPSTREAM_PROTOCOL'),
    )
    expect(() => createGuard(unknown).check(event('accepted', id))).toThrow(
      failure('UPSTREAM_PROTOCOL'),
    )
    const guard = createGuard(unknown)
    guard.check(event('accepted'))
    expect(() => guard.check(event('delta', 'chat-1', id))).toThrow(failure('UPSTREAM_PROTOCOL'))
  })
})
