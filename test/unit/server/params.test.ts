import { describe, expect, it } from 'vitest'
import { readParams } from '../../../src/server/graphql/params.ts'
import { fromFetchRequest } from '../../../src/server/fetch/fetch.ts'

const url = 'http://gateway/graphql'
/** Units that were asked for. */
const taken: number[] = []
const turns = {
  take(units: number) {
    taken.push(units)
    return undefined
  },
}
const byQuery = { takesIds: false, turns }
const json = { 'content-type': 'application/json' }

function post(body: BodyInit, headers: Record<string, string> = json) {
  return readParams(
    fromFetchRequest(new Request(url, { method: 'POST', body, headers })),
    100,
    byQuery,
  )
}

describe('the parameters of a request', () => {
  it('come from a JSON body, other members left out', async () => {
    const body = { query: '{a}', variables: { b: 1 }, operationName: null, extensions: {}, more: 1 }
    expect(await post(JSON.stringify(body))).toEqual({
      query: '{a}',
      variables: { b: 1 },
      extensions: {},
    })
  })

  it('come from the query of a GET', async () => {
    const search = new URLSearchParams({ query: '{a}', variables: '{"b":1}', operationName: '' })
    const incoming = fromFetchRequest(new Request(`${url}?${search}`))
    expect(await readParams(incoming, 100, byQuery)).toEqual({ query: '{a}', variables: { b: 1 } })
  })

  it.each([
    ['no JSON', '{"query": "secret', json, 400],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), json, 400],
    ['a batch', '[{"query":"{a}"}]', json, 400],
    ['a string', '"{a}"', json, 400],
    ['no query', '{"variables":{}}', json, 400],
    ['variables in a list', '{"query":"{a}","variables":[]}', json, 400],
    ['an operation name that is none', '{"query":"{a}","operationName":1}', json, 400],
    ['a form', 'query={a}', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['plain text', '{"query":"{a}"}', { 'content-type': 'text/plain' }, 415],
    [
      'another charset',
      '{"query":"{a}"}',
      { 'content-type': 'application/json; charset=utf-16' },
      415,
    ],
    ['a compressed body (T16)', '{"query":"{a}"}', { ...json, 'content-encoding': 'gzip' }, 415],
    ['too many bytes (T16)', JSON.stringify({ query: 'a'.repeat(100) }), json, 413],
  ])('are refused for %s, without a word of the body', async (_what, body, headers, status) => {
    const error: unknown = await post(body, headers).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ status })
    expect(String(error)).not.toContain('secret')
  })

  it('are refused as cut short, not as a fault of ours, where their connection breaks under fetch', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"query":'))
        controller.error(new Error('secret'))
      },
    })
    // Needed by the specification of fetch, and missing in its types.
    const init = { method: 'POST', body, headers: json, duplex: 'half' }
    const error: unknown = await readParams(
      fromFetchRequest(new Request(url, init)),
      100,
      byQuery,
    ).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ status: 400, message: 'The body was cut short.' })
  })

  it('T16: take turns before they are parsed where they are long, by body and by query', async () => {
    const query = `{${'a '.repeat(1_500)}}`
    const body = JSON.stringify({ query })
    taken.length = 0
    await readParams(
      fromFetchRequest(new Request(url, { method: 'POST', body, headers: json })),
      10_000,
      byQuery,
    )
    const get = new Request(`${url}?${new URLSearchParams({ query })}`)
    await readParams(fromFetchRequest(get), 10_000, byQuery)
    expect(taken).toHaveLength(2)
    for (const units of taken) expect(units).toBeGreaterThan(query.length)
    await post('{"query":"{a}"}')
    expect(taken).toHaveLength(2)
  })

  it('T16: are not read beyond the limit', async () => {
    let pulled = 0
    const body = new ReadableStream({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(60))
      },
    })
    // Needed by the specification of fetch, and missing in its types.
    const init = { method: 'POST', body, headers: json, duplex: 'half' }
    await expect(
      readParams(fromFetchRequest(new Request(url, init)), 100, byQuery),
    ).rejects.toMatchObject({
      status: 413,
    })
    expect(pulled).toBeLessThan(5)
  })
})
