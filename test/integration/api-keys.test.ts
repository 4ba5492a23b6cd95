import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { RepliesDocument } from '../../schema/operations/generated/graphql.ts'
import { apiKey } from '../kit/api-keys.ts'
import { openStage, type Stage } from '../kit/stage.ts'
import { until } from '../kit/until.ts'

const query = '{ viewer { session } }'

describe("a backend's API keys", () => {
  const headersOf = (key: string, subject = 'ann') => ({
    authorization: `ApiKey ${key}`,
    'x-session-subject': subject,
  })
  const ask = (stage: Stage, key: string, subject?: string) =>
    stage.client.call({ query, headers: headersOf(key, subject) })

  it('come and go with SIGHUP: streams of one that is gone end with a cursor, and go on under the next', async () => {
    const [old, fresh] = [apiKey('old'), apiKey('fresh')]
    await using stage = await openStage({ config: { apiKeys: [old.settings] } })
    const { body } = await ask(stage, old.key)
    const { session } = JSON.parse(body).data.viewer
    expect((await ask(stage, fresh.key)).status).toBe(401)
    using stream = await stage.client.stream({
      query: RepliesDocument.toString(),
      headers: headersOf(old.key),
    })
    expect(stream.status).toBe(200)

    const config = JSON.parse(await readFile(stage.gateway.configFile, 'utf8'))
    await writeFile(
      stage.gateway.configFile,
      JSON.stringify({ ...config, apiKeys: [fresh.settings] }),
    )
    stage.gateway.signal('SIGHUP')
    await until(async () => (await ask(stage, fresh.key)).status === 200, 'the new key')
    expect((await ask(stage, old.key)).status).toBe(401)
    // T10: what rested on the old key has ended, with the place to go on from.
    const last = JSON.parse((await stream.next())?.data ?? '{}')
    const { code, resumeAfter } = last.errors[0].extensions
    expect(code).toBe('SUBSCRIPTION_TOKEN_EXPIRED')
    expect(await stream.ended).toBe('complete')
    using next = await stage.client.stream({
      query: RepliesDocument.toString(),
      variables: { after: resumeAfter },
      headers: headersOf(fresh.key),
    })
    expect(next.status).toBe(200)
    // Two keys of one backend lead to one session.
    expect(JSON.parse((await ask(stage, fresh.key)).body).data.viewer.session).toBe(session)
  })

  it('stay as they were when the configuration cannot be read', async () => {
    const key = apiKey('only')
    await using stage = await openStage({ config: { apiKeys: [key.settings] } })
    await writeFile(stage.gateway.configFile, '{')
    stage.gateway.signal('SIGHUP')
    await until(() => stage.gateway.output.includes('the old ones stay'), 'the refusal')
    expect((await ask(stage, key.key)).status).toBe(200)
  })

  it('need the user that they speak for', async () => {
    const key = apiKey('only')
    await using stage = await openStage({ config: { apiKeys: [key.settings] } })
    const { authorization } = headersOf(key.key)
    const answer = await stage.client.call({ query, headers: { authorization } })
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('"BAD_REQUEST"')
    const sessions = ['ann', 'ben'].map(
      async (subject) => (await ask(stage, key.key, subject)).body,
    )
    const [ann, ben] = await Promise.all(sessions)
    expect(ann).not.toBe(ben)
  })
})
