import { createHash } from 'node:crypto'
import * as client from '../../src/client/client.ts'

/** The documents that the client sends, by their SHA-256, as `persistedDocuments` takes them: each of its calls is made once. */
export async function clientDocuments(): Promise<string> {
  const documents = new Set<string>()
  const viewer = { sessionFingerprint: '', eventCursor: 'cursor', keepAliveMs: 60_000 }
  const opened = Promise.withResolvers<unknown>()
  const record = async ({ operation }: client.Request) => {
    documents.add(operation.query)
    return JSON.parse(JSON.stringify({ data: { viewer, nodes: [] } }))
  }
  const chat = client.createChatClient({
    url: '',
    transport: {
      request: record,
      upload: record,
      subscribe(request) {
        opened.resolve(record(request))
        return { close: () => undefined }
      },
    },
  })
  const conversation = chat.conversation('id')
  // No response has what is asked for.
  await Promise.allSettled([
    chat.send(''),
    chat.cancel('id'),
    chat.submitToolOutputs('id', []),
    conversation.messages(),
    conversation.openReplies(),
    client.uploadFile(chat, ''),
    client.listConversations(chat),
    client.findConversation(chat, 'id'),
    client.startConversation(chat),
    client.renameConversation(chat, 'id'),
    client.clearConversation(chat, 'id'),
    client.deleteConversation(chat, 'id'),
    client.rateAnswer(chat, 'id', 'LIKE'),
    client.removeRating(chat, 'id'),
    client.listAssistants(chat),
    client.readViewer(chat),
  ])
  chat.onEvent(() => undefined)
  await opened.promise
  chat.close()
  const byId = [...documents].map((text) => [idOf(text), text] as const)
  const sorted = byId.toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`
}

function idOf(document: string): string {
  return createHash('sha256').update(document).digest('hex')
}
