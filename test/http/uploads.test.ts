import { describe, expect, it } from 'vitest'
import { UploadFileDocument } from '../../schema/operations/generated/graphql.ts'
import { limitsSchema } from '../../src/config/sections/limits.ts'
import { createFakeClock } from '../kit/fakes/clock.ts'
import { type FakeGatewayOptions, openFakeGateway } from '../kit/fakes/gateway.ts'
import { until } from '../kit/process/until.ts'

const query = UploadFileDocument.toString()
const operations = JSON.stringify({ query, variables: { input: { file: null } } })
const map = '{"0":["variables.input.file"]}'
const headers = { authorization: 'Bearer alice', 'graphql-require-preflight': '1' }
const limits = { maxUploadBytes: 100_000, maxBodyBytes: 10_000 }

/** One part: a field, or a file if it has a name of its own. */
interface Part {
  readonly name: string
  readonly value: string
  readonly fileName?: string
}

const file = (value = 'hello', name = '0') => ({ name, value, fileName: 'notes.txt' })
const form = (...parts: readonly Part[]) => {
  const data = new FormData()
  for (const { name, value, fileName } of parts) {
    if (fileName === undefined) data.append(name, value)
    else data.append(name, new Blob([value], { type: 'text/plain' }), fileName)
  }
  return data
}
const head = (text = operations, where = map) => [
  { name: 'operations', value: text },
  { name: 'map', value: where },
]

async function send(
  body: BodyInit,
  more: Readonly<Record<string, string>> = {},
  options: FakeGatewayOptions = {},
) {
  await using gateway = await openFakeGateway({ limits, ...options })
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    body,
    headers: { ...headers, ...more },
  })
  const text = await answer.text()
  const alive = await fetch(`${gateway.url}/health/live`)
  return { status: answer.status, text, alive: alive.status }
}

describe('an upload', () => {
  it.each([
    ['before "operations"', [file(), ...head()], '"operations" is missing'],
    ['before "map"', [{ name: 'operations', value: operations }, file()], '"map" is missing'],
  ])('whose file comes %s is told so', async (_what, parts, said) => {
    const { status, text } = await send(form(...parts))
    expect([status, JSON.parse(text).errors[0].message]).toEqual([
      400,
      expect.stringContaining(said),
    ])
  })

  it('is a form of operations, map and one file, streamed to the assistant', async () => {
    const { status, text } = await send(form(...head(), file('hello, 世界')))
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({
      data: {
        uploadFile: {
          __typename: 'UploadFileSuccess',
          attachment: { name: 'notes.txt', mediaType: 'text/plain', byteSize: 13 },
        },
      },
    })
  })

  it('is taken together with all other attachments of a message, at default limits', async () => {
    await using gateway = await openFakeGateway()
    const { maxAttachments } = limitsSchema.parse({})
    const photos = Array.from({ length: maxAttachments }, async () => {
      const body = form(...head(), file())
      const answer = await fetch(`${gateway.url}/graphql`, { method: 'POST', body, headers })
      return await answer.text()
    })
    for (const text of await Promise.all(photos)) expect(text).toContain('UploadFileSuccess')
  })

  it('is answered when its operation does not read the file', async () => {
    const text = JSON.stringify({
      query: '{ viewer { sessionFingerprint } }',
      variables: { input: { file: null } },
    })
    const answer = await send(form(...head(text), file('x'.repeat(90_000))))
    expect(answer).toMatchObject({ status: 200, alive: 200 })
    expect(answer.text).toContain('alice')
  })

  it('fails as a member of the result when the file is too large', async () => {
    const { status, text } = await send(
      form(...head(), file('x'.repeat(limits.maxUploadBytes + 1))),
    )
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({
      data: { uploadFile: { __typename: 'TooLargeError', code: 'TOO_LARGE' } },
    })
  })

  it.each<readonly [string, BodyInit, number]>([
    ['no file', form(...head()), 400],
    ['no operations', form({ name: 'map', value: map }, file()), 400],
    ['no map', form({ name: 'operations', value: operations }, file()), 400],
    ['the file first', form(file(), ...head()), 400],
    ['a third field', form(...head(), { name: 'more', value: '1' }, file()), 400],
    ['a field twice', form(...head(), ...head(), file()), 400],
    ['operations that are no JSON', form(...head('{"query": "secret'), file()), 400],
    ['a batch', form(...head(`[${operations}]`), file()), 400],
    ['a map that is no JSON', form(...head(operations, '{'), file()), 400],
    ['a map of no place', form(...head(operations, '{"0":[]}'), file()), 400],
    [
      'a map of two places',
      form(...head(operations, '{"0":["variables.input.file","a"]}'), file()),
      400,
    ],
    [
      'a map of another part',
      form(...head(operations, '{"1":["variables.input.file"]}'), file()),
      400,
    ],
    ['a place that is no variable', form(...head(operations, '{"0":["query"]}'), file()), 400],
    [
      'a place that is inherited',
      form(...head(operations, '{"0":["variables.__proto__.file"]}'), file()),
      400,
    ],
    ['operations of many bytes', form(...head(`${operations}${' '.repeat(10_000)}`), file()), 413],
    ['more bytes than a form may have', form(...head(), file('x'.repeat(200_000))), 413],
  ])('is refused for %s', async (_what, body, status) => {
    const answer = await send(body)
    expect(answer).toMatchObject({ status, alive: 200 })
    expect(answer.text).toMatch(/"code":"(BAD_REQUEST|TOO_LARGE)"/)
    expect(answer.text).not.toContain('secret')
  })

  it.each([
    ['no boundary', 'multipart/form-data', 'x'],
    ['what is no form', 'multipart/form-data; boundary=b', 'x'.repeat(50_000)],
    [
      'a form without its end',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form',
    ],
    ['nothing', 'multipart/form-data; boundary=b', ''],
    [
      'a head without an end',
      'multipart/form-data; boundary=b',
      `--b\r\ncontent-disposition: form-data; name="${'x'.repeat(100_000)}`,
    ],
    [
      'a file that is cut short',
      'multipart/form-data; boundary=b',
      [...head(), { name: '0"; filename="notes.txt', value: 'hel' }]
        .map(
          ({ name, value }) =>
            `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
        )
        .join(''),
    ],
  ])('is refused for %s', async (_what, contentType, body) => {
    const answer = await send(body, { 'content-type': contentType })
    expect(answer.alive).toBe(200)
    expect(answer.text).toMatch(/"code":"(BAD_REQUEST|TOO_LARGE)"/)
    expect(answer.text).not.toContain('"attachment"')
  })

  it.each([
    ['a field after the file', form(...head(), file(), { name: 'more', value: '1' })],
    ['a second file', form(...head(), file(), file('again', '1'))],
  ])('that is on its way already fails for %s', async (_what, body) => {
    const answer = await send(body)
    expect(answer).toMatchObject({ status: 200, alive: 200 })
    expect(answer.text).toMatch(/"code":"BAD_REQUEST"/)
    expect(answer.text).not.toContain('"attachment"')
  })

  it('T11: needs a header that no page can send to another site unasked', async () => {
    const { status, text } = await send(form(...head(), file()), {
      'graphql-require-preflight': '',
    })
    expect([status, text.includes('UploadFileSuccess')]).toEqual([200, true])
    await using gateway = await openFakeGateway({ limits })
    const { authorization } = headers
    const refused = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      body: form(...head(), file()),
      headers: { authorization },
    })
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('"FORBIDDEN"')
  })

  it('takes no file from JSON', async () => {
    const body = JSON.stringify({ query, variables: { file: { name: 'x', content: 'y' } } })
    const { text } = await send(body, { 'content-type': 'application/json' })
    expect(text).toContain('"BAD_USER_INPUT"')
  })
})

describe('a request that does not come to its end (T16)', () => {
  it.each([
    ['JSON', 'application/json', '{"query":'],
    ['a form', 'multipart/form-data; boundary=b', '--b\r\n'],
  ])('of %s is given up', async (_what, contentType, begun) => {
    const clock = createFakeClock()
    await using gateway = await openFakeGateway({ clock, requestMs: 30_000 })
    const waiting = clock.pending
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(begun)),
    })
    // Needed by the specification of fetch, and missing in its types.
    const init = { method: 'POST', body, duplex: 'half' }
    const asked = fetch(`${gateway.url}/graphql`, {
      ...init,
      headers: { ...headers, 'content-type': contentType },
    })
    await until(() => clock.pending > waiting, 'the request')
    clock.advance(30_000)
    const answer = await asked
    expect(answer.status).toBe(408)
    expect(await answer.text()).toContain('"BAD_REQUEST"')
  })
})
