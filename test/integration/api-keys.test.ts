import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { apiKey } from '../kit/credentials/api-keys.ts'
import { startSystem, type System } from '../kit/process/system.ts'
import { until } from '../kit/process/until.ts'

const query = '{ viewer { sessionFingerprint } }'

describe("a backend's API keys", () => {
  const headersOf = (key: string, subject = 'ann') => ({
    authorization: `ApiKey ${key}`,
    'x-session-subject': subject,
  })
  const ask = (system: System, key: string, subject?: string) =>
    system.client.call({ query, headers: headersOf(key, subject) })

  it('come and go with SIGHUP: streams of one that is gone end with a cursor, and go on under the next', async () => {
    const [old, fresh] = [apiKey('old'), apiKey('fresh')]
    await using system = await startSystem({ config: { apiKeys: [old.settings] } })
    const { body } = await ask(system, old.key)
    const { sessionFingerprint: session } = JSON.parse(body).data.viewer
    expect((await ask(system, fresh.key)).status).toBe(401)
    using stream = await system.client.stream({
      query: RepliesDocument.toString(),
      headers: headersOf(old.key),
    })
    expect(stream.status).toBe(200)

    const config = JSON.parse(await readFile(system.gateway.configFile, 'utf8'))
    await writeFile(
      system.gateway.configFile,
      JSON.stringify({ ...config, apiKeys: [fresh.settings] }),
    )
    system.gateway.signal('SIGHUP')
    await until(async () => (await ask(system, fresh.key)).status === 200, 'the new key')
    expect((await ask(system, old.key)).status).toBe(401)
    // T10: what rested on the old key has ended, with the place to go on from.
    const last = JSON.parse((await stream.next())?.data ?? '{}')
    const { code, resumeAfter } = last.errors[0].extensions
    expect(code).toBe('SUBSCRIPTION_TOKEN_EXPIRED')
    expect(await stream.ended).toBe('complete')
    using next = await system.client.stream({
      query: RepliesDocument.toString(),
      variables: { after: resumeAfter },
      headers: headersOf(fresh.key),
    })
    expect(next.status).toBe(200)
    // Two keys of one backend lead to one session.
    expect(JSON.parse((await ask(system, fresh.key)).body).data.viewer.sessionFingerprint).toBe(
      session,
    )
  })

  it('stay as they were when the configuration cannot be read', async () => {
    const key = apiKey('only')
    await using system = await startSystem({ config: { apiKeys: [key.settings] } })
    await writeFile(system.gateway.configFile, '{')
    system.gateway.signal('SIGHUP')
    await until(() => system.gateway.output.includes('the old ones stay'), 'the refusal')
    expect((await ask(system, key.key)).status).toBe(200)
  })

  it('need the user that they speak for', async () => {
    const key = apiKey('only')
    await using system = await startSystem({ config: { apiKeys: [key.settings] } })
    const { authorization } = headersOf(key.key)
    const answer = await system.client.call({ query, headers: { authorization } })
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('"BAD_REQUEST"')
    const sessions = ['ann', 'ben'].map(
      async (subject) => (await ask(system, key.key, subject)).body,
    )
    const [ann, ben] = await Promise.all(sessions)
    expect(ann).not.toBe(ben)
  })
})
