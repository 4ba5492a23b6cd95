import { generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthenticator } from '../../../src/auth/authenticator.ts'
import { checkKeySets } from '../../../src/auth/key-set.ts'
import type { UpstreamFailure } from '../../../src/domain/upstream.ts'
import { createFetchJson } from '../../../src/lib/fetch-json.ts'
import { bearer, callerOf } from '../../kit/credentials/authenticate.ts'
import { createRsaIssuer } from '../../kit/credentials/issuer.ts'
import { issuerSettings } from '../../kit/credentials/issuer-settings.ts'
import { openKeyServer } from '../../kit/credentials/jwks.ts'
import { createFakeClock } from '../../kit/fakes/clock.ts'

const maxAgeMs = 600_000
const maxStaleMs = 3_600_000

/** An issuer on this machine that is found by its URL alone: its document on one server, its keys on another. */
async function open() {
  const clock = createFakeClock()
  const nowSeconds = () => Math.floor(clock.now() / 1000)
  const documents = await openKeyServer()
  onTestFinished(() => documents[Symbol.asyncDispose]())
  const issuer = new URL('/realms/one', documents.url).href
  const old = await createRsaIssuer({ nowSeconds, issuer, kid: 'old' })
  const next = await createRsaIssuer({ nowSeconds, issuer, kid: 'next' })
  const keys = await openKeyServer(old.jwk)
  onTestFinished(() => keys[Symbol.asyncDispose]())
  const publish = (document: unknown) =>
    documents.answer((response) => response.end(JSON.stringify(document)))
  publish({ issuer, jwks_uri: keys.url })
  const settings = issuerSettings({ issuer, audience: old.audience, jwks: { timeoutMs: 1_000 } })
  const failures: UpstreamFailure[] = []
  const fetchJson = createFetchJson()
  const auth = createAuthenticator({
    issuers: [settings],
    maxTokenLength: 15_360,
    clock,
    fetchJson,
    onFetchFailure: (failure) => void failures.push(failure),
  })
  onTestFinished(() => auth[Symbol.dispose]())
  const present = (token: string) => callerOf(auth, bearer(token))
  const { host } = new URL(documents.url)
  return {
    clock,
    issuer,
    settings,
    documents,
    keys,
    old,
    next,
    publish,
    present,
    failures,
    host,
    fetchJson,
  }
}

describe('an issuer that is found by its URL', () => {
  it('is asked for its document and its keys once, by any number of concurrent requests', async () => {
    const { documents, keys, old, present } = await open()
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => old.sign(`user ${n}`)))
    const callers = await Promise.all(tokens.map(present))
    expect(new Set(callers.map(({ subject }) => subject)).size).toBe(20)
    expect([documents.requests, keys.requests]).toEqual([1, 1])
  })

  it('F38b: is followed to another key set, and to new keys', async () => {
    const { clock, issuer, keys, old, next, publish, present } = await open()
    await present(await old.sign('alice'))
    const moved = await openKeyServer(next.jwk)
    onTestFinished(() => moved[Symbol.asyncDispose]())
    publish({ issuer, jwks_uri: moved.url })
    clock.advance(30_000)
    await expect(present(await next.sign('alice'))).resolves.toMatchObject({ subject: 'alice' })
    await expect(present(await old.sign('bob'))).rejects.toMatchObject({ status: 401 })
    expect(keys.requests).toBe(1)
  })

  it('F38c: is believed while its document cannot be had, then answered for with 503 and not 401', async () => {
    const { clock, documents, old, present } = await open()
    await present(await old.sign('alice'))
    documents.answer((response) => response.destroy())
    clock.advance(maxAgeMs + 1)
    await expect(present(await old.sign('bob'))).resolves.toMatchObject({ subject: 'bob' })
    clock.advance(maxStaleMs)
    await expect(present(await old.sign('carol'))).rejects.toMatchObject({ status: 503 })
  })

  const answers: Record<
    string,
    [(respond: ServerResponse, issuer: string, keys: string) => void, Partial<UpstreamFailure>]
  > = {
    'names another issuer': [
      (response, _issuer, jwks_uri) =>
        response.end(JSON.stringify({ issuer: 'https://evil.test', jwks_uri })),
      { kind: 'protocol', systemCode: 'ISSUER_MISMATCH' },
    ],
    'names itself with a slash more': [
      (response, issuer, jwks_uri) =>
        response.end(JSON.stringify({ issuer: `${issuer}/`, jwks_uri })),
      { kind: 'protocol', systemCode: 'ISSUER_MISMATCH' },
    ],
    'names no keys': [
      (response, issuer) => response.end(JSON.stringify({ issuer })),
      { kind: 'protocol', systemCode: 'NO_JWKS_URI' },
    ],
    'names a file as its keys': [
      (response, issuer) =>
        response.end(JSON.stringify({ issuer, jwks_uri: 'file:///etc/passwd' })),
      { kind: 'protocol', systemCode: 'JWKS_URI_NOT_HTTPS' },
    ],
    'is a list': [
      (response) => response.end('[]'),
      { kind: 'protocol', systemCode: 'ISSUER_MISMATCH' },
    ],
    'is a page': [(response) => response.end('<html>'), { kind: 'protocol' }],
    'is huge': [(response) => response.end(' '.repeat(70_000)), { kind: 'too-large' }],
    'has moved': [
      (response, _issuer, keys) => response.writeHead(302, { location: keys }).end(),
      { kind: 'refused', httpStatus: 302 },
    ],
    'never comes': [() => undefined, { kind: 'timeout', systemCode: 'ANSWER_TIMEOUT' }],
  }
  it.each(Object.entries(answers))(
    'has no keys where its document %s, which the operator is told',
    async (_name, [answer, told]) => {
      const { documents, issuer, keys, old, present, failures, host } = await open()
      documents.answer((response) => answer(response, issuer, keys.url))
      await expect(present(await old.sign('alice'))).rejects.toMatchObject({ status: 503 })
      expect(failures).toEqual([expect.objectContaining({ call: 'key-set', host, ...told })])
      expect(keys.requests).toBe(0)
    },
  )

  it('is looked at once before tokens come, with its keys or why there are none', async () => {
    const { settings, documents, keys, fetchJson, issuer, host } = await open()
    const look = () => checkKeySets([settings], { fetchJson, signal: new AbortController().signal })
    const url = `${issuer}/.well-known/openid-configuration`
    expect(await look()).toMatchObject([{ issuer, url, keys: [{ kid: 'old' }], usable: 1 }])
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    keys.publish({ ...publicKey.export({ format: 'jwk' }), kid: 'curve' })
    expect(await look()).toMatchObject([{ keys: [{ kid: 'curve' }], usable: 0 }])
    documents.answer((response) => response.writeHead(500).end())
    expect(await look()).toMatchObject([
      { issuer, keys: [], failure: { host, kind: 'refused', httpStatus: 500 } },
    ])
  })
})
