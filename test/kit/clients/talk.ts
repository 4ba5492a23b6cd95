import {
  CancelReplyDocument,
  ReplyDocument,
  type ReplyQuery,
  SendMessageDocument,
  type SendMessageInput,
  type SendMessageMutation,
  StartConversationDocument,
  type TypedDocumentString,
  ViewerDocument,
} from '../../../schema/operations/generated/graphql.ts'
import type { EmulatorState } from '../../../src/emulator/state.ts'
import type { Answer, Client } from './client.ts'
import {
  createRecorder,
  type GraphError,
  isTerminal,
  type Recorder,
  type ReplyEventData,
  toSeen,
} from './recorder.ts'
import type { Person, System } from '../process/system.ts'
import { until } from '../process/until.ts'

export type SendResult = SendMessageMutation['sendMessage']
export type SentReply = Extract<SendResult, { __typename: 'SendMessageSuccess' }>['reply']
export type ReplySnapshot = NonNullable<ReplyQuery['reply']>

interface Answered<Result> {
  readonly data?: Result | null
  readonly errors?: readonly GraphError[]
}

/** What people say to the gateway on a system, written down for the checker. */
export interface Talk {
  readonly recorder: Recorder
  /** The data of a query or mutation; undefined where the answer has none, or not all of it. */
  ask<Result, Variables extends object>(
    who: Person,
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): Promise<Result | undefined>
  /** The member of the union that answers it. */
  trySend(who: Person, input: SendMessageInput): Promise<SendResult | undefined>
  /** Must be accepted. */
  send(who: Person, input: string | SendMessageInput): Promise<SentReply>
  startConversation(who: Person, assistantId: string): Promise<string>
  cancel(who: Person, replyId: string): Promise<string | undefined>
  snapshot(who: Person, replyId: string): Promise<ReplySnapshot | undefined>
  cursor(who: Person): Promise<string>
  /** Every event of a reply, followed from its start to its end by a reader of its own. */
  listen(who: Person, replyId: string): Promise<readonly ReplyEventData[]>
  /** Its last event. */
  ending(who: Person, replyId: string): Promise<ReplyEventData>
  /** Sends and answers the last event of the reply. */
  say(who: Person, input: string | SendMessageInput): Promise<ReplyEventData>
  /** Reads every reply afresh, counts its chats, and notes both for the checker. */
  settle(options?: {
    readonly corrected?: readonly string[]
    /** Of these there is nothing left to read. */
    readonly deleted?: readonly string[]
    /** How many replies are read at once. Default 1. */
    readonly atOnce?: number
  }): Promise<void>
}

export function createTalk(
  system: Pick<System, 'client' | 'emulator'>,
  recorder: Recorder = createRecorder(),
  /** What its readers are called. */
  name = 'listener',
): Talk {
  const sent = new Map<string, Person>()
  let readers = 0

  async function ask<Result, Variables extends object>(
    who: Person,
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ) {
    const { body } = await call(system.client, who, document.toString(), variables)
    const { data, errors } = JSON.parse(body) as Answered<Result>
    for (const error of errors ?? []) {
      recorder.add({ type: 'refused', where: 'request', code: error.extensions?.code ?? 'none' })
    }
    return errors === undefined ? (data ?? undefined) : undefined
  }

  async function trySend(who: Person, input: SendMessageInput) {
    const result = (await ask(who, SendMessageDocument, { input }))?.sendMessage
    const reply = result?.__typename === 'SendMessageSuccess' ? result.reply : undefined
    if (result && 'code' in result) {
      recorder.add({ type: 'refused', where: 'union', code: result.code })
    }
    if (reply) sent.set(reply.id, who)
    const { idempotencyKey } = input
    recorder.add({
      type: 'send',
      as: who.name,
      ...(idempotencyKey != null && { idempotencyKey }),
      ...(reply && {
        accepted: {
          replyId: reply.id,
          messageId: reply.message.id,
          conversationId: reply.conversation.id,
        },
      }),
    })
    return result
  }

  async function send(who: Person, input: string | SendMessageInput) {
    const result = await trySend(who, typeof input === 'string' ? { text: input } : input)
    if (result?.__typename === 'SendMessageSuccess') return result.reply
    throw new Error(`not accepted: ${JSON.stringify(result)}`)
  }

  async function listen(who: Person, replyId: string) {
    readers += 1
    const followed = await recorder.follow(system.client, {
      reader: `${name}-${readers}`,
      as: who.name,
      token: who.token,
      replyId,
    })
    const events = await followed.take()
    if (followed.stream.status !== 200) throw new Error(await followed.stream.refusal)
    return events
  }

  async function ending(who: Person, replyId: string) {
    const last = (await listen(who, replyId)).at(-1)
    if (!last || !isTerminal(last)) throw new Error(`ended without an end: ${JSON.stringify(last)}`)
    return last
  }

  async function snapshot(who: Person, replyId: string) {
    return (await ask(who, ReplyDocument, { id: replyId }))?.reply ?? undefined
  }

  /** With fresh eyes: no reader of the history is told of it. */
  async function readLog(who: Person, replyId: string) {
    const { name: as, token } = who
    const following = { reader: 'log', as, token, replyId }
    const followed = await createRecorder().follow(system.client, following)
    using _stream = followed.stream
    return await followed.take()
  }

  return {
    recorder,
    ask,
    trySend,
    send,
    async startConversation(who, assistantId) {
      const answer = await ask(who, StartConversationDocument, { input: { assistantId } })
      const result = answer?.startConversation
      if (result?.__typename === 'StartConversationSuccess') return result.conversation.id
      throw new Error(`not started: ${JSON.stringify(result)}`)
    },
    async cancel(who, replyId) {
      const result = (await ask(who, CancelReplyDocument, { input: { replyId } }))?.cancelReply
      return result?.__typename === 'CancelReplySuccess' ? result.reply.status : undefined
    },
    snapshot,
    async cursor(who) {
      const answer = await ask(who, ViewerDocument, {})
      if (!answer) throw new Error('no viewer')
      return answer.viewer.eventCursor
    },
    listen,
    ending,
    say: async (who, input) => ending(who, (await send(who, input)).id),
    async settle({ corrected = [], deleted = [], atOnce = 1 } = {}) {
      const left = sent.entries()
      async function readSome(): Promise<void> {
        for (const [replyId, who] of left) {
          if (deleted.includes(replyId)) {
            recorder.add({ type: 'deleted', replyId })
            continue
          }
          const events = (await readLog(who, replyId)).map(toSeen)
          const found = await snapshot(who, replyId)
          recorder.add({
            type: 'truth',
            as: who.name,
            replyId,
            events,
            ...(found && { snapshot: found }),
            ...(corrected.includes(replyId) && { corrected: true }),
          })
        }
      }
      await Promise.all(Array.from({ length: atOnce }, readSome))
      // Not before they have all ended.
      const counts = countChats(await system.emulator.state())
      for (const replyId of sent.keys()) {
        recorder.add({ type: 'chats', replyId, count: counts.get(rawId(replyId)) ?? 0 })
      }
    },
  }
}

/** Every message that is sent upstream carries the id of its reply: how many chats each has. */
function countChats({ chats }: EmulatorState): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { request } of chats) {
    const { additional_messages: messages } = request as {
      readonly additional_messages?: readonly { readonly meta_data?: Record<string, string> }[]
    }
    for (const id of Object.values(messages?.at(-1)?.meta_data ?? {})) {
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
  }
  return counts
}

function rawId(replyId: string): string {
  const [, id = ''] = Buffer.from(replyId, 'base64url').toString().split(':')
  return id
}

export async function call(
  client: Client,
  who: Person | undefined,
  query: string,
  variables: object = {},
): Promise<Answer> {
  return client.call({ token: who?.token, query, variables: { ...variables } })
}

/** Resolves once the reply has this status. */
export async function untilStatus(talk: Talk, who: Person, replyId: string, status: string) {
  await until(
    async () => (await talk.snapshot(who, replyId))?.status === status,
    `the reply is ${status}`,
  )
}
