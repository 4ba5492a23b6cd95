import { describe, expect, it } from 'vitest'
import {
  deleteConversation,
  giveFeedback,
  withdrawFeedback,
} from '../../../src/coze/conversations.ts'
import { listVariables, setVariables } from '../../../src/coze/variables.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { stub } from './stub-client.ts'
import { conversationId, messageId } from './wire-samples.ts'

const target = { baseUrl: 'https://api.coze.com', token: new Secret('t') }
const { signal } = new AbortController()

describe('conversations', () => {
  it('are deleted by id', async () => {
    const { client, asked } = stub()
    await deleteConversation(client, target, '7/../8', signal)
    expect(asked).toEqual([{ method: 'DELETE', path: '/v1/conversations/7%2F..%2F8' }])
  })
})

describe('feedback', () => {
  const answer = { conversationId, messageId }
  const path = `/v1/conversations/${conversationId}/messages/${messageId}/feedback`

  it('rates an answer', async () => {
    const { client, asked } = stub()
    const reasons = ['wrong', 'rude']
    const feedback = { type: 'unlike', reasons, comment: 'no' } as const
    await giveFeedback(client, target, answer, feedback, signal)
    const liked = { type: 'like', reasons: [], comment: undefined } as const
    await giveFeedback(client, target, answer, liked, signal)
    const body = { feedback_type: 'unlike', reason_types: reasons, comment: 'no' }
    expect(asked).toEqual([
      { method: 'POST', path, body },
      { method: 'POST', path, body: { feedback_type: 'like' } },
    ])
  })

  it('is taken back', async () => {
    const { client, asked } = stub()
    await withdrawFeedback(client, target, answer, signal)
    expect(asked).toEqual([{ method: 'DELETE', path }])
  })
})

describe('variables', () => {
  const app = { owner: { appId: 'a' }, userId: 'name', connectorId: '999' }

  it('are listed for one user of an app', async () => {
    const items = [
      { keyword: 'pet', value: 'cat' },
      { keyword: 'empty', value: '' },
    ]
    const { client, asked } = stub({ data: { items } })
    expect(await listVariables(client, target, app, signal)).toEqual([
      { name: 'pet', value: 'cat' },
      { name: 'empty', value: '' },
    ])
    const query = { app_id: 'a', connector_uid: 'name', connector_id: '999' }
    expect(asked).toEqual([{ method: 'GET', path: '/v1/variables', query }])
  })

  it('are none where the platform lists none, and refused without a name', async () => {
    const list = (data: unknown) => listVariables(stub({ data }).client, target, app, signal)
    expect(await list(null)).toEqual([])
    expect(await list({ items: null })).toEqual([])
    await expect(list({ items: [{ value: 'x' }] })).rejects.toMatchObject({ kind: 'protocol' })
  })

  it('are set for one user of a Bot', async () => {
    const { client, asked } = stub()
    const bot = { owner: { botId: 'b' }, userId: 'name' }
    await setVariables(client, target, bot, [{ name: 'pet', value: '' }], signal)
    const body = { bot_id: 'b', connector_uid: 'name', data: [{ keyword: 'pet', value: '' }] }
    expect(asked).toEqual([{ method: 'PUT', path: '/v1/variables', body }])
  })
})
