import { platformTraits } from '../../../src/strategy/platform-traits.ts'
import { describe, expect, it } from 'vitest'
import { CozeError, type CozeErrorKind } from '../../../src/coze/errors.ts'
import {
  type AssistantRecordsOptions,
  createAssistantRecords,
} from '../../../src/strategy/records.ts'
import { createRun } from '../../kit/fakes/runs.ts'
import { createScriptedCoze, nameTokens, type Sent } from '../../kit/fakes/coze.ts'

const { signal } = new AbortController()
const { session } = createRun('alice')

function open(
  script: Parameters<typeof createScriptedCoze>[0],
  options: Partial<AssistantRecordsOptions> = {},
) {
  const client = createScriptedCoze(script)
  const records = createAssistantRecords({
    client,
    tokens: nameTokens,
    traits: platformTraits.cloud,
    newId: () => 'b0undary',
    owner: { appId: 'app-1' },
    takesFiles: true,
    maxUploadBytes: 10,
    uploadMs: 1000,
    ...options,
  })
  return { client, records }
}

const refuse =
  (kind: CozeErrorKind, upstreamCode?: string): (() => never) =>
  () => {
    throw new CozeError(kind, 'x', { accepted: 'no', upstreamCode })
  }

async function* pieces(...texts: readonly string[]) {
  for (const piece of texts) yield Buffer.from(piece)
}

const file = (content: AsyncIterable<Uint8Array> = pieces('hel', 'lo')) => {
  return { name: 'a.txt', mediaType: 'text/plain', content }
}

describe('files', () => {
  it('are uploaded as the session, and counted', async () => {
    const { client, records } = open({ upload: () => ({ data: { id: 'f1' } }) })
    expect(await records.uploadFile(session, file(), signal)).toEqual({
      upstreamId: 'f1',
      bytes: 5,
    })
    expect(client.sent).toMatchObject([{ path: '/v1/files/upload', session: 'alice' }])
    expect(client.sent[0]?.body).toContain('\r\n\r\nhello\r\n--b0undary--')
  })

  it('are not sent above their limit', async () => {
    const { client, records } = open({})
    const large = records.uploadFile(session, file(pieces('01234', '56789', '!')), signal)
    await expect(large).rejects.toMatchObject({ name: 'TooLargeError' })
    expect(client.sent).toHaveLength(0)
  })

  it('fail as their content does', async () => {
    const gone = new Error('the caller left')
    const content = (async function* () {
      yield Buffer.from('a')
      throw gone
    })()
    await expect(open({}).records.uploadFile(session, file(content), signal)).rejects.toBe(gone)
  })

  it.each([
    ['4302', { name: 'TooLargeError' }],
    ['4303', { name: 'RunFailedError', failure: { code: 'UPSTREAM_REFUSED', retryable: false } }],
    ['4300', { name: 'RunFailedError', failure: { code: 'UPSTREAM_REFUSED' } }],
  ])('are refused with %s', async (code, expected) => {
    const { records } = open({ upload: refuse('file', code) })
    await expect(records.uploadFile(session, file(), signal)).rejects.toMatchObject(expected)
  })

  it('are sent once, even if the token is refused: the caller may try again', async () => {
    const { client, records } = open({ upload: refuse('auth', '4100') })
    await expect(records.uploadFile(session, file(), signal)).rejects.toMatchObject({
      failure: { code: 'UPSTREAM_UNAVAILABLE', retryable: true },
    })
    expect(client.sent).toHaveLength(1)
  })

  it('keep the reason of an abort', async () => {
    const reason = new Error('stopped')
    const upload = open({}).records.uploadFile(session, file(), AbortSignal.abort(reason))
    await expect(upload).rejects.toBe(reason)
  })
})

describe('conversations', () => {
  it('are deleted as the session', async () => {
    const { client, records } = open({})
    expect(await records.deleteConversation(session, 'up-1', signal)).toBe('gone')
    expect(client.sent).toMatchObject([{ path: '/v1/conversations/up-1', session: 'alice' }])
  })

  it.each([
    ['is not there', refuse('conversation-gone', '4002'), true],
    ['is not there, in other words', refuse('refused', '4200'), true],
    ['may not be deleted', refuse('refused', '4000'), false],
    ['cannot be asked about', refuse('unavailable'), false],
  ])('one that %s', async (_, request, gone) => {
    const { records } = open({ request })
    expect(await records.deleteConversation(session, 'up-1', signal)).toBe(gone ? 'gone' : 'kept')
  })

  it('that a Studio deletes are only hidden there', async () => {
    const { records } = open({}, { traits: platformTraits.studio })
    expect(await records.deleteConversation(session, 'up-1', signal)).toBe('hidden')
    const gone = open({ request: refuse('conversation-gone') }, { traits: platformTraits.studio })
    expect(await gone.records.deleteConversation(session, 'up-1', signal)).toBe('gone')
  })

  it('are not deleted after an abort, which is no failure', async () => {
    const { client, records } = open({})
    const stopped = AbortSignal.abort(new Error('stopped'))
    expect(await records.deleteConversation(session, 'up-1', stopped)).toBe('kept')
    expect(client.sent).toHaveLength(0)
  })
})

describe('ratings', () => {
  const answer = { conversationId: 'up-1', messageId: 'm1' }
  const path = '/v1/conversations/up-1/messages/m1/feedback'

  it('are given as the session', async () => {
    const { client, records } = open({})
    const unlike = { rating: 'DISLIKE', reasons: ['wrong'], comment: 'no' } as const
    await records.rate(session, answer, unlike, signal)
    await records.rate(session, answer, { ...unlike, rating: 'LIKE', reasons: [] }, signal)
    expect(client.sent).toMatchObject([
      { path, session: 'alice', body: { feedback_type: 'unlike', reason_types: ['wrong'] } },
      { path, session: 'alice', body: { feedback_type: 'like', comment: 'no' } },
    ])
  })

  it('are taken back', async () => {
    const { client, records } = open({})
    const none = { rating: null, reasons: [], comment: undefined }
    await records.rate(session, answer, none, signal)
    expect(client.sent).toEqual([{ path, session: 'alice', query: {}, body: undefined }])
  })

  it('fail as runs do', async () => {
    const { records } = open({ request: refuse('conversation-gone', '4005') })
    const like = { rating: 'LIKE', reasons: [], comment: undefined } as const
    await expect(records.rate(session, answer, like, signal)).rejects.toMatchObject({
      name: 'RunFailedError',
      failure: { code: 'UPSTREAM_REFUSED' },
    })
  })
})

describe('older messages', () => {
  const row = (id: number, more: Readonly<Record<string, unknown>> = {}) => ({
    id: `m${id}`,
    conversation_id: 'up-1',
    role: id % 2 === 0 ? 'assistant' : 'user',
    type: id % 2 === 0 ? 'answer' : 'question',
    content: `text ${id}`,
    content_type: 'text',
    created_at: id,
    ...more,
  })

  it('are told newest first, each with its time', async () => {
    const { client, records } = open({ request: () => ({ data: [row(4), row(3)] }) })
    const request = { conversationId: 'up-1', before: 'm5', limit: 10 }
    expect(await records.listOlder(session, request, signal)).toEqual([
      {
        conversationId: 'up-1',
        upstreamMessageId: 'm4',
        role: 'ASSISTANT',
        text: 'text 4',
        createdAt: 4000,
      },
      {
        conversationId: 'up-1',
        upstreamMessageId: 'm3',
        role: 'USER',
        text: 'text 3',
        createdAt: 3000,
      },
    ])
    expect(client.sent).toMatchObject([
      { session: 'alice', body: { order: 'desc', before_id: 'm5', limit: 10 } },
    ])
  })

  it('leave out what is no talk, and the history that we sent along', async () => {
    const parts = JSON.stringify([
      { type: 'text', text: 'Look' },
      { type: 'image', file_id: 'f' },
    ])
    const data = [
      row(9, { content_type: 'object_string', content: parts }),
      row(8, { type: 'verbose' }),
      row(7, { meta_data: { history_of: 'reply-1' } }),
      row(6, { content_type: 'card', content: '{}' }),
      row(5, { type: '' }),
    ]
    const { records } = open({ request: () => ({ data }) })
    const request = { conversationId: 'up-1', before: undefined, limit: 20 }
    const found = await records.listOlder(session, request, signal)
    expect(found.map(({ text }) => text)).toEqual(['Look', 'text 5'])
  })

  it('are looked for further back where a page holds little, a few times', async () => {
    const page = (nth: number) => [row(100 - 2 * nth), row(99 - 2 * nth, { type: 'verbose' })]
    const { client, records } = open({ request: (_, nth) => ({ data: page(nth) }) })
    const request = { conversationId: 'up-1', before: undefined, limit: 2 }
    const found = await records.listOlder(session, request, signal)
    expect(found.map(({ text }) => text)).toEqual(['text 98', 'text 96'])
    expect(client.sent[1]?.body).toMatchObject({ before_id: 'm97' })

    const silent = open({
      request: (_, nth) => ({ data: [row(20 - nth, { type: 'verbose' })] }),
    })
    const one = { ...request, limit: 1 }
    expect(await silent.records.listOlder(session, one, signal)).toEqual([])
    expect(silent.client.sent).toHaveLength(4)
  })

  it('end where a platform repeats itself', async () => {
    const { client, records } = open({ request: () => ({ data: [row(4), row(3)] }) })
    const request = { conversationId: 'up-1', before: undefined, limit: 5 }
    expect(await records.listOlder(session, request, signal)).toHaveLength(2)
    const two = { ...request, limit: 2 }
    const found = await records.listOlder(session, { ...two, before: 'm3' }, signal)
    expect(found).toHaveLength(2)
    const notes = open({ request: () => ({ data: [row(4, { type: 'verbose' })] }) })
    expect(await notes.records.listOlder(session, { ...request, limit: 1 }, signal)).toEqual([])
    expect(notes.client.sent).toHaveLength(2)
    expect(client.sent).toHaveLength(2)
  })

  const stored = [101, 102, 103, 104, 105, 106, 107, 108].map((id) => row(id, { id: `${id}` }))
  const position = (id: unknown) => stored.findIndex((one) => one.id === id)

  /** As the cloud pages: older ones for `before_id`, newest first. */
  function cloudPage(body: Readonly<Record<string, unknown>>) {
    const { before_id: before, after_id: after, limit } = body
    const from = after === undefined ? 0 : position(after) + 1
    const to = before === undefined ? stored.length : position(before)
    return stored.slice(from, to).toReversed().slice(0, Number(limit))
  }

  /** As Studio pages: newer ones for `before_id`, oldest first; older ones for `after_id`, newest first. */
  function studioPage(body: Readonly<Record<string, unknown>>) {
    const { before_id: before, after_id: after, limit } = body
    const range =
      before === undefined
        ? stored.slice(0, after === undefined ? stored.length : position(after)).toReversed()
        : stored.slice(position(before) + 1)
    return range.slice(0, Number(limit))
  }

  it.each([
    ['cloud', 'as the cloud', cloudPage],
    ['studio', 'as Studio', studioPage],
    ['cloud', 'as Studio', studioPage],
    ['studio', 'as the cloud', cloudPage],
  ] as const)(
    'are all told once, and end, where a platform said to be %s pages %s',
    async (platform, _, page) => {
      const request = ({ body }: Sent) => {
        const rows = page(body as Readonly<Record<string, unknown>>)
        return rows.length === 0 ? {} : { data: rows }
      }
      const { records } = open({ request }, { traits: platformTraits[platform] })
      const found: string[] = []
      for (let before: string | undefined = '107'; before !== undefined;) {
        const wanted = { conversationId: 'up-1', before, limit: 2 }
        const rows = await records.listOlder(session, wanted, signal)
        found.push(...rows.map(({ upstreamMessageId }) => upstreamMessageId))
        before = rows.at(-1)?.upstreamMessageId
      }
      expect(found).toEqual(['106', '105', '104', '103', '102', '101'])
    },
  )

  it('are asked for in pages that the platform takes', async () => {
    const { client, records } = open({ request: () => ({ data: [] }) })
    const request = { conversationId: 'up-1', before: undefined, limit: 80 }
    await records.listOlder(session, request, signal)
    expect(client.sent).toMatchObject([{ body: { limit: 50 } }])
  })
})

describe('variables', () => {
  const items = [
    { keyword: 'pet', value: 'cat' },
    { keyword: 'done', value: '' },
    { keyword: 'name', value: 'Ada' },
  ]

  it("are emptied, and only the session's", async () => {
    const { client, records } = open(
      { request: (_, nth) => (nth === 1 ? { data: { items } } : {}) },
      { connectorId: '999' },
    )
    expect(await records.clearVariables(session, signal)).toBe('emptied')
    const owner = { app_id: 'app-1', connector_uid: 'alice', connector_id: '999' }
    expect(client.sent).toMatchObject([
      { session: 'alice', query: owner },
      {
        session: 'alice',
        body: {
          ...owner,
          data: [
            { keyword: 'pet', value: '' },
            { keyword: 'name', value: '' },
          ],
        },
      },
    ])
  })

  it('are left alone where there are none', async () => {
    const { client, records } = open({ request: () => ({ data: { items: [items[1]] } }) })
    expect(await records.clearVariables(session, signal)).toBe('emptied')
    expect(client.sent).toHaveLength(1)
  })

  it('cannot be emptied where the platform has no call for it', async () => {
    const { records } = open({ request: refuse('not-supported') })
    expect(await records.clearVariables(session, signal)).toBe('no-call')
  })

  it('are not said to be gone when the platform did not do it', async () => {
    const cannotList = open({ request: refuse('auth', '4101') })
    expect(await cannotList.records.clearVariables(session, signal)).toBe('kept')
    const cannotSet = open({
      request: (_, nth) => (nth === 1 ? { data: { items } } : refuse('refused', '4000')()),
    })
    expect(await cannotSet.records.clearVariables(session, signal)).toBe('kept')
    const stopped = AbortSignal.abort(new Error('stopped'))
    expect(await open({}).records.clearVariables(session, stopped)).toBe('kept')
  })
})
