/** A GraphQL server as one would write it first: Yoga with its pub/sub, the platform's SDK, replies in memory. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { ChatEventType, CozeAPI, RoleType } from '@coze/api'
import { createPubSub, createSchema, createYoga } from 'graphql-yoga'
import { z } from 'zod'
import { listenAndTell } from '../rpc.ts'

interface Chunk {
  readonly delta?: string
  readonly done: boolean
  readonly full?: string
}

const coze = new CozeAPI({ token: 'pat_bench', baseURL: z.string().parse(process.argv[2]) })
const pubSub = createPubSub<Record<string, [null]>>()
const replies = new Map<string, Chunk[]>()

async function run(id: string, text: string, conversationId: string): Promise<void> {
  const chunks: Chunk[] = []
  replies.set(id, chunks)
  const publish = (chunk: Chunk) => {
    chunks.push(chunk)
    pubSub.publish(id, null)
  }
  const stream = coze.workflows.chat.stream({
    workflow_id: '7300000000000000001',
    app_id: '7300000000000000002',
    conversation_id: conversationId,
    additional_messages: [{ role: RoleType.User, content: text, content_type: 'text' }],
  })
  let full = ''
  for await (const part of stream) {
    if (part.event !== ChatEventType.CONVERSATION_MESSAGE_DELTA) continue
    full += part.data.content
    publish({ delta: part.data.content, done: false })
  }
  publish({ done: true, full })
}

const yoga = createYoga({
  logging: false,
  schema: createSchema({
    typeDefs: /* GraphQL */ `
      type Query {
        ok: Boolean
      }
      type Message {
        id: ID!
      }
      type Mutation {
        sendMessage(text: String!, conversationId: ID!): Message!
      }
      type Chunk {
        delta: String
        done: Boolean!
        full: String
      }
      type Subscription {
        reply(id: ID!): Chunk!
      }
    `,
    resolvers: {
      Mutation: {
        sendMessage(_root: unknown, args: { text: string; conversationId: string }) {
          const id = randomUUID()
          run(id, args.text, args.conversationId).catch(() => replies.delete(id))
          return { id }
        },
      },
      Subscription: {
        reply: {
          async *subscribe(_root: unknown, { id }: { id: string }) {
            const news = pubSub.subscribe(id)
            for (let at = 0; ;) {
              const next = news.next()
              const chunks = replies.get(id) ?? []
              for (; at < chunks.length; at += 1) {
                yield { reply: chunks[at] }
                if (chunks[at]?.done) return
              }
              await next
            }
          },
        },
      },
    },
  }),
})
listenAndTell(createServer((request, response) => void yoga(request, response)))
