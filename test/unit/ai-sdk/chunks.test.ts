import type { UIMessageChunk } from 'ai'
import { expect, it } from 'vitest'
import { chunksOf } from '../../../src/ai-sdk/chunks.ts'
import type { ReplyDelta, ReplyState } from '../../../src/client/client.ts'
import { createReply } from '../../../src/client/reply.ts'

const state: ReplyState = {
  id: 'r1',
  status: 'RUNNING',
  text: '',
  reasoning: '',
  queuePosition: null,
  followUps: [],
  question: null,
  omitted: [],
  toolCalls: [],
  actionExpiresAt: null,
  contextReset: false,
  upstreamCancelled: false,
  usage: null,
  failure: null,
  conversation: { id: 'c1' },
  message: { id: 'm1', text: 'hello' },
  answer: null,
}
const delta = (offset: number, text: string): ReplyDelta => ({
  __typename: 'ReplyDelta',
  kind: 'ANSWER',
  offset,
  text,
  cursor: `c${offset}`,
  replyId: 'r1',
})
const none = async () => state

it('a correction takes back what the AI SDK was given, and gives it the right text', async () => {
  const followed = createReply(state, '', { cancel: none, submitToolOutputs: none })
  const chunks = chunksOf(followed.reply)
  const seen: UIMessageChunk[] = []
  const take = async (count: number) => {
    for (let taken = 0; taken < count; taken += 1) {
      const { value } = await chunks.next()
      if (value) seen.push(value)
    }
  }
  followed.take(delta(0, 'Hello wor'))
  await take(4)
  followed.take(delta(1, 'i'))
  await take(3)
  expect(seen).toEqual([
    { type: 'start', messageId: 'r1' },
    { type: 'start-step' },
    { type: 'text-start', id: 'text' },
    { type: 'text-delta', id: 'text', delta: 'Hello wor' },
    { type: 'reset-step' },
    { type: 'text-start', id: 'text' },
    { type: 'text-delta', id: 'text', delta: 'Hi' },
  ])
})
