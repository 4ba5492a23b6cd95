import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { createRunKeys, findUnkeyedLayers, upstreamScope } from '../../../src/strategy/keys.ts'
import { createRun } from '../../kit/runs.ts'

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

describe('T13: a configuration that leaves a layer unkeyed', () => {
  const oauth = { credentials: { type: 'oauth' }, allowSharedToken: false } as const
  const workflow = { workflowId: 'w', appId: 'a', conversationKeying: 'auto' } as const
  const bot = { botId: 'b' }

  it.each([
    ['a Workflow of an app', { ...oauth, workflow }],
    [
      'a Workflow of an app, by name',
      { ...oauth, workflow: { ...workflow, conversationKeying: 'name' } },
    ],
    ['a Workflow of a Bot', { ...oauth, workflow: { ...workflow, appId: undefined, botId: 'b' } }],
    [
      'parameters of its own',
      { ...oauth, workflow: { ...workflow, parameters: { LANGUAGE: 'en' } } },
    ],
    ['a Bot', { ...oauth, bot }],
    ['both', { ...oauth, workflow, bot }],
    [
      'a shared token that is accepted',
      { credentials: { type: 'shared-token' }, allowSharedToken: true, bot },
    ],
  ] as const)('is not: %s', (_, assistant) => {
    expect(findUnkeyedLayers(assistant)).toEqual([])
  })

  it.each([
    ['identity: a shared token', { ...oauth, credentials: { type: 'shared-token' }, bot }],
    ['conversation: exactly one', { ...oauth, workflow: { ...workflow, botId: 'b' } }],
    ['conversation: exactly one', { ...oauth, workflow: { ...workflow, appId: undefined } }],
    [
      'conversation: names work with "appId" only',
      {
        ...oauth,
        workflow: { ...workflow, appId: undefined, botId: 'b', conversationKeying: 'name' },
      },
    ],
    [
      'conversation: the parameter "CONVERSATION_NAME"',
      { ...oauth, workflow: { ...workflow, parameters: { CONVERSATION_NAME: 'Default' } } },
    ],
    [
      'knowledge: the parameter "SESSION_NAME"',
      { ...oauth, workflow: { ...workflow, parameters: { SESSION_NAME: 'everybody' } } },
    ],
    [
      'knowledge: the parameter "USER"',
      { ...oauth, workflow: { ...workflow, sessionParameter: 'USER', parameters: { USER: 1 } } },
    ],
    [
      'knowledge: "CONVERSATION_NAME" cannot',
      { ...oauth, workflow: { ...workflow, sessionParameter: 'CONVERSATION_NAME' } },
    ],
    [
      'knowledge: the variable "SESSION_NAME"',
      { ...oauth, bot: { ...bot, customVariables: { SESSION_NAME: 'everybody' } } },
    ],
    ['knowledge: "sessionVariable"', { ...oauth, bot: { ...bot, sessionVariable: '' } }],
  ] as const)('is refused with a sentence: %s', (sentence, assistant) => {
    const found = findUnkeyedLayers(assistant)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(sentence)
  })

  it('is refused with a sentence for each layer', () => {
    const parameters = { CONVERSATION_NAME: 'Default', SESSION_NAME: 'everybody' }
    const found = findUnkeyedLayers({
      credentials: { type: 'shared-token' },
      allowSharedToken: false,
      workflow: { workflowId: 'w', conversationKeying: 'auto', parameters },
    })
    expect(found.map((sentence) => sentence.split(':')[0])).toEqual([
      'identity',
      'conversation',
      'conversation',
      'knowledge',
    ])
  })
})
