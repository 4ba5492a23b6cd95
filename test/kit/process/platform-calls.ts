import { generateKeyPairSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import {
  cancelBotChat,
  listBotChatMessages,
  retrieveBotChat,
  streamBotChat,
  streamToolOutputs,
} from '../../../src/coze/bot-chat.ts'
import { retrieveBotOpening } from '../../../src/coze/bots.ts'
import type { CozeCall } from '../../../src/coze/calls.ts'
import type { CozeClient, CozeTarget } from '../../../src/coze/client.ts'
import {
  createConversation,
  deleteConversation,
  listMessages,
  retrieveConversation,
  giveFeedback,
  withdrawFeedback,
} from '../../../src/coze/conversations.ts'
import { uploadFile } from '../../../src/coze/files.ts'
import { createTokenResolver } from '../../../src/coze/token.ts'
import { listVariables, setVariables } from '../../../src/coze/variables.ts'
import { streamWorkflowChat } from '../../../src/coze/workflow-chat.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { chat, ids, messageId, run } from '../../unit/coze/wire-samples.ts'
import { streamTimeouts, tokenOptions } from '../fakes/coze-options.ts'
import { randomId } from '../fakes/ids.ts'
import { uncounted } from '../fakes/metrics.ts'

export interface Calling {
  readonly client: CozeClient
  readonly target: CozeTarget
  readonly clock: Clock
}

const { signal } = new AbortController()
const answer = { conversationId: ids.conversationId, messageId }
const owner = { owner: { botId: 'b' }, userId: 'alice' }
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** Makes each call of the platform once, as the code that serves users does. Resolves when it succeeded. */
export const platformCalls: Readonly<Record<CozeCall, (by: Calling) => Promise<unknown>>> = {
  async token({ client, target, clock }) {
    await using tokens = createTokenResolver({
      client,
      clock,
      newId: randomId,
      metrics: uncounted,
      ...tokenOptions,
      mintTimeoutMs: 60_000,
      credentials: {
        type: 'oauth',
        baseUrl: target.baseUrl,
        appId: 'app-1',
        keyId: 'key-1',
        privateKey: new Secret(privateKey),
        accessTokenSeconds: 3600,
        audience: new URL(target.baseUrl).host,
      },
    })
    return await tokens.token('alice', signal)
  },
  'create-conversation': ({ client, target }) =>
    createConversation(client, target, { botId: 'b' }, signal),
  'retrieve-conversation': ({ client, target }) =>
    retrieveConversation(client, target, ids.conversationId, signal),
  'delete-conversation': ({ client, target }) =>
    deleteConversation(client, target, ids.conversationId, signal),
  'list-messages': ({ client, target }) => listMessages(client, target, ids, signal),
  'workflow-chat': ({ client, target }) =>
    streamWorkflowChat(
      client,
      target,
      { workflowId: 'w', owner: owner.owner, messages, userId: 'alice', timeouts: streamTimeouts },
      ignored,
      signal,
    ),
  'bot-chat': ({ client, target }) => {
    const { conversationId } = ids
    const request = {
      botId: 'b',
      conversationId,
      userId: 'alice',
      messages,
      timeouts: streamTimeouts,
    }
    return streamBotChat(client, target, request, ignored, signal)
  },
  'tool-outputs': ({ client, target }) =>
    streamToolOutputs(
      client,
      target,
      { ...ids, outputs: [], timeouts: streamTimeouts },
      ignored,
      signal,
    ),
  'retrieve-chat': ({ client, target }) => retrieveBotChat(client, target, ids, signal),
  'list-chat-messages': ({ client, target }) => listBotChatMessages(client, target, ids, signal),
  'cancel-chat': ({ client, target }) => cancelBotChat(client, target, ids, signal),
  upload: ({ client, target }) =>
    uploadFile(
      client,
      target,
      {
        name: 'notes.txt',
        mediaType: 'text/plain',
        content: onePiece(),
        maxBytes: 100,
        timeoutMs: 15_000,
        boundary: 'b0undary',
      },
      signal,
    ),
  'give-feedback': ({ client, target }) =>
    giveFeedback(client, target, answer, { type: 'like', reasons: [], comment: undefined }, signal),
  'withdraw-feedback': ({ client, target }) => withdrawFeedback(client, target, answer, signal),
  'retrieve-bot': ({ client, target }) => retrieveBotOpening(client, target, 'bot', signal),
  'list-variables': ({ client, target }) => listVariables(client, target, owner, signal),
  'set-variables': ({ client, target }) =>
    setVariables(client, target, owner, [{ name: 'a', value: '' }], signal),
}

const messages = [{ role: 'user', text: 'a message that no log may hold' }] as const

async function* onePiece() {
  yield Buffer.from('a file that no log may hold')
}

const ignored = () => undefined

/** Answers any call of the platform as if all went well, once its body is read. */
export async function answerCall(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await text(request)
  const path = request.url?.split('?')[0] ?? ''
  if (/\/(chat|submit_tool_outputs)$/.test(path)) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(run('a'))
    return
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ code: 0, msg: '', ...fieldsFor(path) }))
}

function fieldsFor(path: string): Readonly<Record<string, unknown>> {
  if (path.endsWith('/token')) return { access_token: 'czs_token', expires_in: 4_000_000_000 }
  if (path.endsWith('/message/list')) return { data: [] }
  if (path === '/v1/variables') return { data: { items: [] } }
  if (path.startsWith('/v3/chat/')) return { data: chat('completed') }
  return { data: { id: ids.conversationId } }
}
