import {
  ClearConversationDocument,
  DeleteConversationDocument,
  EraseSessionDocument,
  RateAnswerDocument,
  RenameConversationDocument,
  StartConversationDocument,
  SubmitToolOutputsDocument,
  UploadFileDocument,
  type SendMessageInput,
} from '../../../schema/operations/generated/graphql.ts'
import type { SentReply } from '../clients/talk.ts'
import { until } from '../process/until.ts'
import type { Random } from '../random.ts'
import { DiedError } from './lives.ts'
import type { Sent, Session } from './sessions.ts'
import { assistantIds, type Scene, type Step, undisturbed } from './step.ts'
import { writeText } from './texts.ts'

/** What people do in their conversations. */
export const talkSteps: Readonly<Record<string, Step>> = {
  send: {
    weight: 30,
    take: (scene, session, random) =>
      undisturbed(session, async () => {
        const canary = scene.sessions.mint(session)
        const { text, isEchoed, asksForTools = false } = writeText(random, canary)
        const place = choosePlace(session, random)
        const input: SendMessageInput = {
          text,
          ...place,
          idempotencyKey: chooseKey(scene, random, canary),
          onBusy: random.pick(['QUEUE', 'QUEUE', 'QUEUE', 'REJECT', 'INTERRUPT'] as const),
        }
        const answered = await untilAnswered(() => scene.talk.trySend(session.who, input))
        if (answered?.__typename !== 'SendMessageSuccess') {
          return answered && 'code' in answered ? answered.code : 'refused'
        }
        const about = { canary, echo: isEchoed ? canary : undefined, asksForTools }
        learn(scene, session, answered.reply, about)
        Object.assign(session.loot, { idempotencyKey: input.idempotencyKey, text })
        return 'accepted'
      }),
  },
  start: {
    weight: 3,
    take: (scene, session, random) =>
      undisturbed(session, async () => {
        const id = await begin(scene, session, random.pick(assistantIds))
        return id === undefined ? 'refused' : 'started'
      }),
  },
  cancel: {
    weight: 6,
    async take({ talk }, session, random) {
      const sent = recent(session, random)
      return (sent && (await talk.cancel(session.who, sent.replyId))) ?? 'nothing'
    },
  },
  answerTools: {
    weight: 3,
    take: ({ talk, sessions }, session) =>
      undisturbed(session, async () => {
        const sent = session.sent.findLast(({ asksForTools }) => asksForTools)
        const reply = sent && (await talk.snapshot(session.who, sent.replyId))
        if (reply?.status !== 'ACTION_REQUIRED') return 'nothing'
        const output = sessions.mint(session)
        const outputs = reply.toolCalls.map(({ callId }) => ({ callId, output }))
        const input = { replyId: reply.id, outputs }
        const answered = await talk.ask(session.who, SubmitToolOutputsDocument, { input })
        return answered?.submitToolOutputs.__typename ?? 'refused'
      }),
  },
  upload: {
    weight: 1,
    take: (scene, session, random) =>
      undisturbed(session, async () => {
        const { client, sessions } = scene
        const canary = sessions.mint(session)
        const assistantId = 'bot'
        const answer = await client.upload(
          {
            token: session.who.token,
            query: UploadFileDocument.toString(),
            variables: { input: { assistantId } },
          },
          { name: `${canary}.txt`, mediaType: 'text/plain', text: canary },
        )
        const { data } = JSON.parse(answer.body)
        const attachmentId: unknown = data?.uploadFile?.attachment?.id
        if (typeof attachmentId !== 'string') return 'refused'
        sessions.own(session, attachmentId)
        session.loot.attachmentId = attachmentId
        const conversationId = await begin(scene, session, assistantId)
        if (conversationId === undefined) return 'not sent'
        const input = {
          // Another step may have had a question asked here meanwhile: the whole text then is its answer, repeated with its canary.
          text: `/files\n/keep file ${canary}`,
          assistantId,
          conversationId,
          idempotencyKey: canary,
          attachmentIds: [attachmentId],
          onBusy: random.pick(['QUEUE', 'INTERRUPT'] as const),
        }
        const answered = await untilAnswered(() => scene.talk.trySend(session.who, input))
        if (answered?.__typename !== 'SendMessageSuccess') return 'not sent'
        learn(scene, session, answered.reply, { canary, echo: canary, asksForTools: false })
        return 'sent'
      }),
  },
  rename: {
    weight: 1,
    async take({ talk, sessions }, session, random) {
      const conversationId = chooseConversation(session, random)
      if (conversationId === undefined) return 'nothing'
      const input = { conversationId, title: sessions.mint(session) }
      const answered = await talk.ask(session.who, RenameConversationDocument, { input })
      return answered?.renameConversation.__typename ?? 'refused'
    },
  },
  rate: {
    weight: 1,
    async take({ talk }, session, random) {
      const { answerId: messageId } = session.loot
      if (messageId === undefined) return 'nothing'
      const input = { messageId, rating: random.pick(['LIKE', 'DISLIKE'] as const) }
      const answered = await talk.ask(session.who, RateAnswerDocument, { input })
      return answered?.rateAnswer.__typename ?? 'refused'
    },
  },
  clear: {
    weight: 1,
    async take({ talk }, session, random) {
      const conversationId = chooseConversation(session, random)
      if (conversationId === undefined) return 'nothing'
      const input = { conversationId }
      const answered = await talk.ask(session.who, ClearConversationDocument, { input })
      return answered?.clearConversation.__typename ?? 'refused'
    },
  },
  delete: {
    weight: 1,
    async take({ talk }, session, random) {
      const conversationId = chooseConversation(session, random)
      if (conversationId === undefined) return 'nothing'
      session.gone.add(conversationId)
      const input = { conversationId }
      const answered = await talk.ask(session.who, DeleteConversationDocument, { input })
      return answered?.deleteConversation.__typename ?? 'refused'
    },
  },
  erase: {
    weight: 0.4,
    async take({ talk }, session) {
      if (session.busy > 0 || session.isErasing) return 'not now'
      session.isErasing = true
      try {
        for (const { conversationId } of session.sent) session.gone.add(conversationId)
        for (const { id } of session.conversations) session.gone.add(id)
        const answered = await untilAnswered(() => talk.ask(session.who, EraseSessionDocument, {}))
        const result = answered?.eraseSession.__typename
        if (result !== 'EraseSessionSuccess') return result ?? 'refused'
        session.generation += 1
        session.conversations.length = 0
        session.dropped.length = 0
        for (const { replyId } of session.sent.splice(0)) session.erased.add(replyId)
        session.loot = {}
        return result
      } finally {
        session.isErasing = false
      }
    },
  },
}

async function begin(
  { talk, sessions }: Scene,
  session: Session,
  assistantId: string,
): Promise<string | undefined> {
  const answered = await talk.ask(session.who, StartConversationDocument, {
    input: { assistantId },
  })
  const result = answered?.startConversation
  if (result?.__typename !== 'StartConversationSuccess') return undefined
  const { id } = result.conversation
  session.conversations.push({ id, assistantId })
  sessions.own(session, id)
  return id
}

/** Asks again until some gateway has lived long enough to answer. */
async function untilAnswered<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  let wasLost = false
  return await until(async () => {
    try {
      const answered = await ask()
      // Whether the first one was taken is not known as long as a gateway on its way out refuses.
      if (answered !== undefined || !wasLost) return { answered }
    } catch (error) {
      if (!(error instanceof DiedError)) throw error
      wasLost = true
    }
    return undefined
  }, 'a gateway answers').then(({ answered }) => answered)
}

function learn(
  { sessions }: Scene,
  session: Session,
  { id: replyId, conversation, message }: SentReply,
  about: Pick<Sent, 'canary' | 'echo' | 'asksForTools'>,
): void {
  const conversationId = conversation.id
  for (const id of [replyId, conversationId, message.id]) sessions.own(session, id)
  Object.assign(session.loot, { replyId, conversationId, messageId: message.id })
  if (session.sent.some((sent) => sent.replyId === replyId)) return
  session.sent.push({ replyId, conversationId, ...about })
}

function choosePlace(session: Session, random: Random) {
  const place = random.chance(0.6) ? session.conversations.at(-1) : undefined
  const known =
    place ?? (random.chance(0.5) ? random.pick([...session.conversations, undefined]) : undefined)
  if (known === undefined || session.gone.has(known.id)) {
    return { assistantId: random.pick(assistantIds) }
  }
  return { conversationId: known.id }
}

/** Mostly of its own; sometimes one that another session has used. */
function chooseKey({ sessions }: Scene, random: Random, own: string): string {
  if (!random.chance(0.05)) return own
  const { loot } = random.pick(sessions.all)
  return loot.idempotencyKey ?? own
}

export function chooseConversation(session: Session, random: Random): string | undefined {
  const ids = session.sent.map(({ conversationId }) => conversationId)
  const left = ids.slice(-20).filter((id) => !session.gone.has(id))
  return left.length > 0 ? random.pick(left) : undefined
}

/** One of its last messages. */
export function recent(session: Session, random: Random): Sent | undefined {
  const last = session.sent.slice(-5)
  return last.length > 0 ? random.pick(last) : undefined
}
