import { type Audit, serverAudits } from 'graphql-http'
import { describe, expect, it } from 'vitest'
import { openFakeGateway } from '../kit/fakes/gateway.ts'

const audits = serverAudits({ url: 'http://unused', fetchFn: () => Promise.reject(new Error()) })

describe('GraphQL over HTTP', () => {
  it.each(audits.map(({ id, name }) => [id, name]))('%s: %s', async (id) => {
    await using gateway = await openFakeGateway()
    const audit = serverAudits({
      url: `${gateway.url}/graphql`,
      fetchFn: (url: string, init: RequestInit = {}) => {
        const headers = new Headers(init.headers)
        headers.set('authorization', 'Bearer alice')
        return globalThis.fetch(url, { ...init, headers })
      },
    }).find((candidate: Audit) => candidate.id === id)
    const result = await audit?.fn()
    expect(result).toMatchObject({ status: 'ok' })
  })
})
