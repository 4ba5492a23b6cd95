import { isDeepStrictEqual } from 'node:util'
import {
  ConversationDocument,
  ConversationsDocument,
  SessionExportDocument,
  NodesDocument,
  ReplyDocument,
} from '../../../schema/operations/generated/graphql.ts'
import type { Following } from '../clients/recorder.ts'
import type { Random } from '../random.ts'
import type { Listener, Session, Sessions } from './sessions.ts'
import type { Scene, Step } from './step.ts'
import { chooseConversation, recent } from './talk-steps.ts'

const maxListening = 40
/** A listener waits for whatever comes as long as it may. */
const patienceMs = 3_600_000

/** How people follow and look up what was said. */
export const listenSteps: Readonly<Record<string, Step>> = {
  enter: {
    weight: 3,
    async take(scene, _session, random) {
      const { sessions } = scene
      const before = sessions.all.length
      await scene.enter(random)
      return sessions.all.length > before ? 'new' : 'known'
    },
  },
  listen: {
    weight: 14,
    async take(scene, session, random) {
      if (scene.listening.size >= maxListening) return 'not now'
      const sent = recent(session, random)
      const conversationId = chooseConversation(session, random)
      const wanted = random.pick([
        {},
        ...(sent ? [{ replyId: sent.replyId }, { replyId: sent.replyId }] : []),
        ...(conversationId === undefined ? [] : [{ conversationId }]),
      ])
      const listener = { reader: scene.nameReader(), session, ...wanted, last: undefined }
      return open(scene, listener, random)
    },
  },
  drop: {
    weight: 8,
    async take({ listening }, _session, random) {
      if (listening.size === 0) return 'nothing'
      random.pick([...listening]).followed?.stream.cut()
      return 'dropped'
    },
  },
  resume: {
    weight: 10,
    async take(scene, session, random) {
      const listener = session.dropped.shift()
      if (!listener || scene.listening.size >= maxListening) return 'nothing'
      return open(scene, listener, random)
    },
  },
  conversations: {
    weight: 3,
    async take({ talk }, session) {
      const found = await talk.ask(session.who, ConversationsDocument, { first: 5 })
      const row = found?.conversations.edges[0]?.cursor
      if (row !== undefined) session.loot.conversationRow = row
      return 'looked'
    },
  },
  conversation: {
    weight: 4,
    async take({ talk, sessions }, session, random) {
      const id = chooseConversation(session, random)
      if (id === undefined) return 'nothing'
      const found = await talk.ask(session.who, ConversationDocument, { id, last: 10 })
      if (!found) return 'refused'
      if (!found.conversation) return missing(sessions, session, id)
      const { edges } = found.conversation.messages
      for (const { node } of edges) sessions.own(session, node.id)
      const row = edges[0]?.cursor
      if (row !== undefined) session.loot.messageRow = row
      return 'looked'
    },
  },
  reply: {
    weight: 5,
    async take({ talk, sessions }, session, random) {
      const sent = recent(session, random)
      if (!sent) return 'nothing'
      const found = await talk.ask(session.who, ReplyDocument, { id: sent.replyId })
      if (!found) return 'refused'
      if (!found.reply) return missing(sessions, session, sent.conversationId)
      const { answer } = found.reply
      if (answer) {
        sessions.own(session, answer.id)
        session.loot.answerId = answer.id
      }
      return 'looked'
    },
  },
  nodes: {
    weight: 1,
    async take({ talk, sessions }, session, random) {
      const others = random.some(sessions.all, 0.3).filter((other) => other !== session)
      const foreign = others.flatMap(({ loot }) => loot.messageId ?? [])
      const ids = [
        ...foreign.slice(0, 9),
        ...(session.loot.messageId ? [session.loot.messageId] : []),
      ]
      const found = await talk.ask(session.who, NodesDocument, { ids })
      const nothing = foreign.slice(0, 9).map(() => null)
      if (found && !isDeepStrictEqual(found.nodes.slice(0, nothing.length), nothing)) {
        sessions.complain(`session ${session.number} found nodes of others`)
      }
      return 'looked'
    },
  },
  export: {
    weight: 1,
    async take({ talk }, session) {
      const found = await talk.ask(session.who, SessionExportDocument, {})
      const next = found?.sessionExport.nextCursor
      if (next != null) session.loot.exportPlace = next
      return found ? 'looked' : 'refused'
    },
  },
}

/** Follows what a listener wants from where it is, until it is cut off, and notes how far it came. */
async function open(scene: Scene, listener: Listener, random: Random): Promise<string> {
  const { talk, client, listening, hearing, sessions } = scene
  const { reader, session, replyId, conversationId, last } = listener
  const { generation } = session
  const following: Following = {
    reader,
    as: session.who.name,
    token: session.who.token,
    ...(replyId !== undefined && { replyId }),
    ...(conversationId !== undefined && { conversationId }),
    after: last,
    by: random.pick(['header', 'argument']),
    method: random.pick(['GET', 'POST']),
    cutAfter: random.chance(0.2) ? 100 + random.int(4_000) : Infinity,
  }
  const followed = await talk.recorder.follow(client, following)
  const { status, refusal } = followed.stream
  const wasErased = () => session.isErasing || session.generation !== generation
  if (status === 204) return '204'
  if (status !== 200) {
    const code = codeOf(await refusal)
    talk.recorder.add({ type: 'refused', where: 'request', code })
    const of =
      conversationId ?? session.sent.find((sent) => sent.replyId === replyId)?.conversationId
    const mayBe = wasErased() || status === 503 || (of !== undefined && session.gone.has(of))
    if (!mayBe) sessions.complain(`session ${session.number} was refused its own log: ${code}`)
    return code
  }
  listener.followed = followed
  listening.add(listener)
  const heard = hear()
    .catch((error: unknown) => sessions.complain(`${reader}: ${String(error)}`))
    .finally(() => {
      listening.delete(listener)
      hearing.delete(heard)
    })
  hearing.add(heard)
  return 'followed'

  async function hear(): Promise<void> {
    for (;;) {
      const event = await followed.next(patienceMs)
      if (event === undefined) break
      listener.last = event.cursor
      session.loot.cursor = event.cursor
    }
    if (wasErased() || (await followed.stream.ended) === 'complete') return
    session.dropped.push(listener)
  }
}

function codeOf(body: string): string {
  return String(JSON.parse(body).errors?.[0]?.extensions?.code)
}

function missing(sessions: Sessions, session: Session, conversationId: string): string {
  if (!session.gone.has(conversationId)) {
    sessions.complain(`session ${session.number} does not find what is its own`)
  }
  return 'gone'
}
