import { describe, expect, it } from 'vitest'
import { openFakeGateway } from '../kit/fakes/gateway.ts'

const id = 'a'.repeat(64)
const documents = new Map([
  [id, 'query Session { viewer { sessionFingerprint } }'],
  ['replies', 'subscription Replies($replyId: ID) { replies(replyId: $replyId) { cursor } }'],
])
const byExtension = (sha256Hash: unknown) => ({
  extensions: { persistedQuery: { version: 1, sha256Hash } },
})

async function ask(body: object, options: { readonly only?: boolean; readonly none?: true } = {}) {
  const { only = false, none } = options
  await using gateway = await openFakeGateway(
    none ? {} : { persistedDocuments: { documents, only } },
  )
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
  })
  return { status: answer.status, text: await answer.text() }
}

describe('a persisted document', () => {
  it.each([
    ['by its id', { documentId: id }],
    ['by doc_id, as Relay does', { doc_id: id }],
    ['by id, as Relay does', { id, query: null }],
    ['by the extension', byExtension(id)],
  ])('is named %s', async (_how, body) => {
    const { status, text } = await ask(body)
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { data: { viewer: { sessionFingerprint: 'alice' } } },
    ])
  })

  it('is named in a GET, for an EventSource too', async () => {
    await using gateway = await openFakeGateway({ persistedDocuments: { documents, only: true } })
    const get = (search: Record<string, string>, accept: string) =>
      fetch(`${gateway.url}/graphql?${new URLSearchParams(search)}`, {
        headers: { authorization: 'Bearer alice', accept },
      })
    for (const name of ['documentId', 'doc_id', 'id']) {
      expect(await (await get({ [name]: id }, 'application/json')).text()).toContain('alice')
    }
    const stream = await get({ documentId: 'replies' }, 'text/event-stream')
    expect([stream.status, stream.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/event-stream'),
    ])
    await stream.body?.cancel()
  })

  it.each([
    ['that nobody has', { documentId: 'b' }],
    ['of no text', { documentId: 1 }],
    ['of no text, by the extension', byExtension(1)],
    ['of a prototype', { documentId: '__proto__' }],
    ['of another version', { extensions: { persistedQuery: { version: 2, sha256Hash: id } } }],
    ['of nothing', {}],
  ])('%s is refused', async (_what, body) => {
    const { status, text } = await ask(body)
    expect(status).toBe(400)
    expect(text).toContain('"BAD_REQUEST"')
  })

  it.each([
    ['deep', `${'{ viewer '.repeat(13)}${'}'.repeat(13)}`, 'depth'],
    ['nested', `{ nodes(ids: ${'['.repeat(500)}${']'.repeat(500)}) { id } }`, 'nesting'],
    ['dear', `{ ${'sessionExport { nextCursor } '.repeat(3)} }`, 'cost'],
    ['long', `{ ${'__typename '.repeat(2_001)} }`, 'tokens'],
  ])('that is too %s stops the start instead of each request', async (_how, document, limit) => {
    const persistedDocuments = { documents: new Map([['wide', document]]), only: true }
    await expect(openFakeGateway({ persistedDocuments })).rejects.toThrow(
      new RegExp(`^the persisted document wide: .*${limit}`),
    )
  })

  it('is all that is answered, if so configured', async () => {
    const query = '{ viewer { sessionFingerprint } }'
    expect((await ask({ query })).status).toBe(200)
    const refused = await ask({ query }, { only: true })
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('"FORBIDDEN"')
    expect((await ask({ query, ...byExtension(id) }, { only: true })).status).toBe(403)
    expect((await ask({ documentId: id }, { only: true })).status).toBe(200)
  })

  it('is accepted as text too, byte by byte', async () => {
    const query = documents.get(id) ?? ''
    expect((await ask({ query }, { only: true })).status).toBe(200)
    expect((await ask({ query: `${query} ` }, { only: true })).status).toBe(403)
  })

  it('is named in vain where none are configured', async () => {
    const { status, text } = await ask({ documentId: id }, { none: true })
    expect(status).toBe(400)
    expect(text).toContain('query')
  })

  it('that does not fit the schema stops the start', async () => {
    const misfit = { documents: new Map([['x', '{ viewers { id } }']]), only: false }
    await expect(openFakeGateway({ persistedDocuments: misfit })).rejects.toThrow(
      /document x: .*viewers/,
    )
  })
})

describe('introspection', () => {
  const query = '{ __schema { queryType { name } } viewer { __typename } }'
  const introspect = async (introspection: boolean) => {
    await using gateway = await openFakeGateway({ introspection })
    const answer = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      body: JSON.stringify({ query }),
      headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
    })
    return answer.text()
  }

  it('is a switch', async () => {
    expect(await introspect(true)).toContain('"Query"')
    expect(await introspect(false)).toContain('"GRAPHQL_VALIDATION_FAILED"')
  })
})
