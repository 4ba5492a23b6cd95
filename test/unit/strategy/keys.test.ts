import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { createRunKeys, upstreamScope } from '../../../src/strategy/keys.ts'
import { createRun } from '../../kit/fakes/runs.ts'

describe('run keys', () => {
  it('T13: name each conversation unguessably, once per session, conversation and generation', () => {
    const run = createRun('alice')
    const names = [
      run,
      createRun('bob'),
      { ...createRun('bob'), conversationId: run.conversationId },
      createRun('alice', 'reply-1', 'conv-2'),
      { ...run, generation: 1 },
    ].map((each) => createRunKeys(each).conversationName)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{64}$/)
    expect(createRunKeys({ ...run }).conversationName).toBe(names[0])
    expect(createRunKeys(createRun('alice', 'reply-2')).conversationName).toBe(names[0])
  })

  it('fit the limits of meta_data', () => {
    for (const [key, value] of Object.entries(createRunKeys(createRun('alice')).metaData)) {
      expect(key.length).toBeLessThanOrEqual(64)
      expect(value.length).toBeLessThanOrEqual(512)
    }
  })
})

describe('upstream scope', () => {
  it('tells platforms and organisations apart, not assistants or keys', () => {
    const oauth = {
      type: 'oauth',
      baseUrl: 'https://api.coze.com/prefix',
      appId: 'app-1',
      keyId: 'key-1',
      privateKey: new Secret(''),
      accessTokenSeconds: 3600,
      audience: 'api.coze.com',
    } as const
    const scope = upstreamScope(oauth)
    expect(scope).toEqual({ origin: 'https://api.coze.com', account: '' })
    expect(upstreamScope({ ...oauth, appId: 'app-2', keyId: 'key-2' })).toEqual(scope)
    expect(upstreamScope({ ...oauth, accountId: 'org-1' })).not.toEqual(scope)
    expect(upstreamScope({ ...oauth, baseUrl: 'https://api.coze.cn' })).not.toEqual(scope)
  })
})
