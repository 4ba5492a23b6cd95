import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { browserHeaders, loadPage } from '../kit/clients/page-files.ts'
import { type FakeGateway, openFakeGateway } from '../kit/fakes/gateway.ts'

const both = { chat: true, operator: true }

async function get(url: string, headers: Record<string, string> = browserHeaders) {
  const response = await request(url, { headers })
  return { ...response, text: await response.body.text() }
}

describe('the pages', () => {
  it('are off unless they are switched on', async () => {
    await using gateway = await openFakeGateway()
    expect((await get(`${gateway.url}/`)).statusCode).toBe(302)
    for (const path of ['/operator', '/pages/x/pages.css', '/pages/demo']) {
      expect([path, (await get(gateway.url + path)).statusCode]).toEqual([path, 404])
    }
    await using chatOnly = await openFakeGateway({ pages: { chat: true } })
    expect((await get(`${chatOnly.url}/`)).statusCode).toBe(200)
    expect((await get(`${chatOnly.url}/operator`)).statusCode).toBe(404)
  })

  const places: readonly (readonly [string, (gateway: FakeGateway) => string])[] = [
    ['the chat', ({ url }) => `${url}/`],
    ["the operators' console", ({ url }) => `${url}/operator`],
    ['the console below the path of GraphQL', ({ url }) => `${url}/api/graphql/operator`],
  ]
  it.each(places)(
    '%s loads whole, from its own host, to be kept for ever',
    async (_name, urlOf) => {
      await using gateway = await openFakeGateway({ pages: both, path: '/api/graphql' })
      const url = urlOf(gateway)
      const { page, files } = await loadPage(url)
      expect(files.length).toBeGreaterThan(10)
      for (const file of files) {
        expect(file.url.startsWith(gateway.url)).toBe(true)
        expect([file.url, file.status]).toEqual([file.url, 200])
        expect(file.headers['x-content-type-options']).toBe('nosniff')
        expect(file.headers['cache-control']).toBe('public, max-age=31536000, immutable')
      }
      const [, graphql = ''] = /data-graphql="([^"]+)"/.exec(page.text) ?? []
      expect(new URL(graphql, url).pathname).toBe('/api/graphql')
    },
  )

  it('T11: run no script but their own, in no frame, and send nothing elsewhere', async () => {
    await using gateway = await openFakeGateway({ pages: both })
    for (const path of ['/', '/operator']) {
      const { headers, text } = await get(gateway.url + path)
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self';")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toContain('unsafe')
      expect(text).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=/)
      expect(headers['cache-control']).toBe('no-cache')
    }
  })

  it('are for browsers: whoever asks for JSON at the root is told what is open', async () => {
    await using gateway = await openFakeGateway({ pages: both })
    const { text } = await get(`${gateway.url}/`, { accept: 'application/json' })
    expect(JSON.parse(text)).toMatchObject({ paths: expect.arrayContaining(['/graphql']) })
  })

  it('know no file that is not theirs', async () => {
    await using gateway = await openFakeGateway({ pages: both })
    const { text } = await get(`${gateway.url}/`)
    const [version = ''] = /pages\/[\w-]+\//.exec(text) ?? []
    for (const name of [
      '../package.json',
      '..%2f..%2fpackage.json',
      'server/server.ts',
      'client',
    ]) {
      const { statusCode } = await get(`${gateway.url}/${version}${name}`)
      expect([name, statusCode]).toEqual([name, 404])
    }
  })
})

describe("the demo's stage", () => {
  const stage = () => {
    const told: (string | null)[] = []
    return {
      told,
      describe: () => ({ leak: told.at(-1) ?? null }),
      leak(name: string | null) {
        if (name === 'unknown') return false
        told.push(name)
        return true
      },
    }
  }

  it('switches leaks, and refuses what is none', async () => {
    const demoStage = stage()
    await using gateway = await openFakeGateway({ pages: both, demoStage })
    const put = async (body: string, headers = {}) =>
      (await request(`${gateway.url}/pages/demo`, { method: 'PUT', body, headers })).statusCode
    expect(await put('{"leak":"shared-memory"}')).toBe(200)
    expect(await put('{"leak":null}')).toBe(200)
    for (const body of ['{"leak":"unknown"}', '{}', 'x', '']) expect(await put(body)).toBe(400)
    expect(demoStage.told).toEqual(['shared-memory', null])
  })

  it('T11: is closed to pages of other sites, and kept by no cache', async () => {
    const demoStage = stage()
    await using gateway = await openFakeGateway({ pages: both, demoStage })
    const url = `${gateway.url}/pages/demo`
    const { headers } = await get(url, {})
    expect(headers['cache-control']).toBe('private, no-store')
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    expect((await get(url, foreign)).statusCode).toBe(403)
    const put = await request(url, { method: 'PUT', body: '{"leak":null}', headers: foreign })
    expect(put.statusCode).toBe(403)
    expect(demoStage.told).toEqual([])
  })
})
