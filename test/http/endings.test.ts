import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { check } from '../kit/history/checker.ts'
import { startSystem, type Person, type System } from '../kit/process/system.ts'
import { call, createTalk } from '../kit/clients/talk.ts'

const repliesDocument = RepliesDocument.toString()

interface Refusal {
  readonly errors: readonly { readonly extensions?: { readonly code?: string } }[]
}

describe('every end of a subscription has its reason', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('P8 T10 F38a: ends when the credential expires, and goes on under a fresh one', async () => {
    const talk = createTalk(system)
    const alice = system.person('expiring')
    await system.emulator.faults('/v1/workflows/chat', { kind: 'pause', afterDeltas: 4 })
    const { id } = await talk.send(alice, '/long 12')
    await system.emulator.until({ held: 'pause' })
    const short = await talk.recorder.follow(system.client, {
      reader: 'expiring',
      as: alice.name,
      token: system.tokenFor(alice.name, 3),
      replyId: id,
    })
    const events = await short.take()
    expect(events.map((event) => event.__typename)).toContain('ReplyDelta')
    expect(await short.stream.ended).toBe('complete')
    expect(short.errors).toMatchObject([
      {
        extensions: {
          code: 'SUBSCRIPTION_TOKEN_EXPIRED',
          resumeAfter: events.at(-1)?.cursor,
        },
      },
    ])
    expect(short.stream.frames.at(-2)?.id).toBeUndefined()

    const fresh = await talk.recorder.follow(system.client, {
      reader: 'expiring',
      as: alice.name,
      token: alice.token,
      replyId: id,
      after: short.errors[0]?.extensions?.resumeAfter,
    })
    await system.emulator.release()
    expect((await fresh.take()).at(-1)).toMatchObject({ __typename: 'ReplyCompleted' })
    await talk.settle()
    expect(check(talk.recorder.history)).toEqual([])
  })

  describe('past the end of a reply', () => {
    let who: Person
    let replyId: string
    let last: string
    beforeAll(async () => {
      const talk = createTalk(system)
      who = system.person('past')
      const sent = await talk.send(who, 'hello')
      replyId = sent.id
      last = (await talk.listen(who, replyId)).at(-1)?.cursor ?? ''
    })

    const open = (more: object) =>
      system.client.stream({
        method: 'GET',
        token: who.token,
        query: repliesDocument,
        variables: { replyId, ...('after' in more ? { after: more.after } : {}) },
        ...('lastEventId' in more && { lastEventId: String(more.lastEventId) }),
      })

    it('answers 204 to a Last-Event-ID, which stops an EventSource', async () => {
      using stream = await open({ lastEventId: last })
      expect(stream.status).toBe(204)
    })

    it('completes at once for an `after`', async () => {
      using stream = await open({ after: last })
      expect(stream.status).toBe(200)
      expect(await stream.next()).toBeUndefined()
      expect(await stream.ended).toBe('complete')
    })

    it('lets Last-Event-ID win over `after`', async () => {
      using stream = await open({ lastEventId: last, after: last.replace(/\d+$/, '1') })
      expect(stream.status).toBe(204)
    })
  })

  describe('is refused before the head of the stream', () => {
    let cursor: string
    let who: Person
    beforeAll(async () => {
      const talk = createTalk(system)
      who = system.person('refused')
      await talk.say(who, 'hello')
      cursor = await talk.cursor(who)
    })

    it.each([
      ['garbage', () => 'garbage'],
      ['nothing', () => ''],
      ['another tag', () => cursor.replace(/^[^.]+/, 'AAAAAAAA')],
      ['a number too long', () => cursor.replace(/\.\d+/, `.${'9'.repeat(400)}`)],
      ['a negative place', () => cursor.replace(/\.\d+/, '.-1')],
      ['a text without its offset', () => `${cursor}~reply.x9Ka0.1`],
      ['something added', () => `${cursor}.1`],
    ])('with 400 BAD_USER_INPUT: %s for a cursor', async (_, make) => {
      for (const by of ['header', 'argument'] as const) {
        // An empty header is none at all.
        if (by === 'header' && make() === '') continue
        using stream = await system.client.stream({
          token: who.token,
          query: repliesDocument,
          variables: by === 'argument' ? { after: make() } : {},
          lastEventId: by === 'header' ? make() : undefined,
        })
        expect(stream.status).toBe(400)
        expect(codeOf(await stream.refusal)).toBe('BAD_USER_INPUT')
      }
    })

    it.each([
      ['a place beyond the end', () => cursor.replace(/\.\d+/, '.999999')],
      ['another event at its place', () => cursor.replace(/[^.]+$/, 'ZZZZZ')],
      ['a cursor of the first edition', () => cursor.replace(/\..+/, '.3.141')],
    ])('F44: with 410 SUBSCRIPTION_CURSOR_EXPIRED: %s', async (_, make) => {
      for (const by of ['header', 'argument'] as const) {
        using stream = await system.client.stream({
          token: who.token,
          query: repliesDocument,
          variables: by === 'argument' ? { after: make() } : {},
          lastEventId: by === 'header' ? make() : undefined,
        })
        expect(stream.status).toBe(410)
        expect(codeOf(await stream.refusal)).toBe('SUBSCRIPTION_CURSOR_EXPIRED')
      }
    })

    it.each(['never-was', Buffer.from('Reply:AAAAAAAAAAAAAAAAAAAAAA').toString('base64url')])(
      'with 404 NOT_FOUND: the unknown reply %s',
      async (replyId) => {
        using stream = await system.client.stream({
          token: who.token,
          query: repliesDocument,
          variables: { replyId },
        })
        expect(stream.status).toBe(404)
        expect(codeOf(await stream.refusal)).toBe('NOT_FOUND')
      },
    )

    it.each([
      ['no token', () => undefined],
      ['no JWT', () => 'x'],
      ['an expired token', () => system.tokenFor('refused', -10)],
      ['a changed signature', () => `${who.token.slice(0, -4)}AAAA`],
      [
        'no algorithm',
        () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${who.token.split('.')[1]}.`,
      ],
    ])('with 401 UNAUTHENTICATED: %s', async (_, make) => {
      const token = make()
      using stream = await system.client.stream({ token, query: repliesDocument })
      expect(stream.status).toBe(401)
      expect(codeOf(await stream.refusal)).toBe('UNAUTHENTICATED')
      expect(stream.headers['www-authenticate']).toMatch(/^Bearer/)
      const answer = await system.client.call({ token, query: 'this is no GraphQL {' })
      expect(answer.status).toBe(401)
    })
  })

  it('has the headers and the comment that keep an intermediary from holding it back', async () => {
    using stream = await system.client.stream({
      token: system.person('headers').token,
      query: repliesDocument,
      method: 'GET',
    })
    expect(stream.headers).toMatchObject({
      'content-type': expect.stringMatching(/^text\/event-stream/),
      'cache-control': 'private, no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect(stream.headers['content-encoding']).toBeUndefined()
  })

  it('tells errors of GraphQL itself on an accepted stream', async () => {
    using stream = await system.client.stream({
      token: system.person('mistaken').token,
      query: 'subscription { nonsense }',
    })
    expect(stream.status).toBe(200)
    const frame = await stream.next()
    expect(codeOf(frame?.data ?? '')).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(await stream.ended).toBe('complete')
  })

  it('T5: refuses a session that is named in the input', async () => {
    const { body } = await call(
      system.client,
      system.person('forger'),
      'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }',
      { input: { text: 'hello', sessionName: 'somebody' } },
    )
    expect(codeOf(body)).toBe('BAD_USER_INPUT')
  })
})

function codeOf(body: string): string | undefined {
  return (JSON.parse(body) as Refusal).errors[0]?.extensions?.code
}
