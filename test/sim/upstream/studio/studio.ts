import { breakChat, cancelChat, runChat } from '../chat.ts'
import { answerJson, answerText, type Call, fields, list, text, texts } from '../call.ts'
import type { Endpoints } from '../call.ts'
import {
  type Chat,
  type Conversation,
  createUpstreamConversation,
  deleteConversation,
  listedRows,
  storeMessage,
  type StoredMessage,
  type UpstreamWorld,
} from '../world.ts'
import { createStudioTelling } from './telling.ts'
import { chatView, recordedStatus, rowView } from './views.ts'

/** The one identity of a personal token: sessions differ only by what is said of the user. */
const everybody = 'everybody'

const calls: ReadonlySet<string> = new Set([
  '/v1/conversation/create',
  '/v1/conversation/retrieve',
  '/v1/conversation/message/list',
  '/v1/workflows/chat',
  '/v3/chat',
  '/v3/chat/retrieve',
  '/v3/chat/message/list',
  '/v3/chat/cancel',
])

/** A small model of a self-hosted Studio, written without a look at the client that calls it. */
export function createStudio(world: UpstreamWorld): Endpoints {
  const { random } = world

  function begin(call: Call): void {
    switch (call.path) {
      case '/v1/conversation/create':
        return createConversation(call)
      case '/v1/conversation/retrieve':
        return retrieveConversation(call)
      case '/v1/conversation/message/list':
        return listMessages(call)
      case '/v1/workflows/chat':
        return flow(call)
      case '/v3/chat':
        return bot(call)
      case '/v3/chat/retrieve':
        return retrieveChat(call)
      case '/v3/chat/message/list':
        return listChatMessages(call)
      case '/v3/chat/cancel':
        return cancel(call)
      default:
        return call.method === 'DELETE' ? hide(call) : refuseUnknown(call)
    }
  }

  /** It is taken off its list, and goes on to be known by its id. */
  function hide(call: Call): void {
    const found = findConversation(conversationIn(call) ?? null)
    if (found === undefined)
      return reply(call, { code: 103_000_002, msg: 'conversation not found' })
    deleteConversation(world, found)
    reply(call, { code: 0, msg: '', BaseResp: null })
  }

  /** The conversation that a deletion names in its path. */
  function conversationIn(call: Call): string | undefined {
    if (call.method !== 'DELETE') return undefined
    return /^\/v1\/conversations\/(\d+)$/.exec(call.path)?.[1]
  }

  /** Whatever is no call of the public API is taken for one of its console, before anybody looks at the token. */
  function refuseUnknown(call: Call): void {
    reply(call, { code: 401, msg: 'missing session_key in cookie' }, 401)
  }

  /** What is said of an app is not read, and who asks for it is not told. */
  function createConversation(call: Call): void {
    const shared = shareConversation(({ name }) => name === undefined)
    const { id } = shared ?? createUpstreamConversation(world, everybody, undefined, true)
    reply(call, { code: 0, msg: '', data: { id, last_section_id: id, meta_data: null } })
  }

  function retrieveConversation(call: Call): void {
    const found = findConversation(call.query.get('conversation_id'))
    if (found === undefined)
      return reply(call, { code: 103_000_002, msg: 'conversation not found' })
    const data = { id: found.id, creator_d: '1', connector_id: '1024', name: found.name ?? '' }
    reply(call, { ConversationData: data, code: 0, msg: '', BaseResp: null })
  }

  /** By `before_id` newer rows, oldest first; by `after_id` older ones, newest first. `order` is not looked at. */
  function listMessages(call: Call): void {
    const listed = findConversation(call.query.get('conversation_id'))
    if (listed?.isShared === false && world.faults.strikes('F41', 0.2)) {
      world.faults.reach('F41')
      listed.isGone = true
    }
    const found = listed?.isGone === true ? undefined : listed
    if (found === undefined)
      return reply(call, { code: 103_000_002, msg: 'conversation not found' })
    const { body } = call
    const [chatId, before, after] = [body['chat_id'], body['before_id'], body['after_id']].map(text)
    const all = listedRows(world, found)
    const at = (id: string | undefined) => all.findIndex((row) => row.id === id)
    const range =
      before === undefined
        ? all.slice(0, after === undefined ? undefined : at(after)).toReversed()
        : all.slice(at(before) + 1)
    const rows = range.filter(
      ({ type, chatId: own }) =>
        (type === 'question' || type === 'answer') && (chatId === undefined || own === chatId),
    )
    const limit = typeof body['limit'] === 'number' ? body['limit'] : 50
    const data = rows.slice(0, limit).map(rowView)
    const ends = { has_more: rows.length > limit, first_id: '0', last_id: '0' }
    reply(call, { ...(data.length > 0 && { data }), ...ends, code: 0, msg: '' })
  }

  function flow(call: Call): void {
    const person = text(fields(call.body['ext'])['user_id']) ?? everybody
    const messages = list(call.body['additional_messages'])
    const question = messages.at(-1)
    const content = text(question?.['content'])
    if (question?.['role'] !== 'user' || content === undefined) {
      return refuseFlow(call, 'additional_messages is requird')
    }
    const conversation = openNamed(call, person)
    if (typeof conversation === 'string') return refuseFlow(call, conversation)
    const replyId = texts(fields(question['meta_data']))['reply_id']
    meet(conversation, person, replyId)
    const request = {
      principal: person,
      conversation,
      isBot: false,
      replyId,
      text: content,
      carried: {},
      tell: (chat: Chat, isOdd: boolean) => createStudioTelling(chat, random, isOdd),
      keep(chat: Chat) {
        storeMessage(world, chat, { role: 'user', type: 'question', content, metaData: {} })
        // Each of the user's earlier messages is a later run of its own, all at once; all rows are the user's.
        let chatId: string | undefined
        const seeds = messages.slice(0, -1).flatMap((seed) => {
          const type: StoredMessage['type'] = seed['role'] === 'user' ? 'question' : 'answer'
          if (type === 'question') chatId = world.newId()
          return chatId === undefined ? [] : [{ type, chatId, content: text(seed['content']) }]
        })
        while (seeds.length > 0) {
          for (const seed of seeds.splice(random.between(0, seeds.length - 1), 1)) {
            const row = { type: seed.type, content: seed.content ?? '', metaData: {} }
            storeMessage(world, chat, { role: 'user', ...row, chatId: seed.chatId })
          }
        }
      },
    }
    if (!world.faults.strikes('F18', 0.15)) return runChat(world, request, call.answer)
    // A node has panicked: what was said is kept.
    world.faults.reach('F18')
    breakChat(world, request)
    refuseFlow(call, 'panic error: runtime error: index out of range')
  }

  /** An app's conversation: by its id where a run has named it, else by a name, which makes one. Or why there is none. */
  function openNamed(call: Call, person: string): Conversation | string {
    const given = text(call.body['conversation_id'])
    if (given !== undefined) {
      const found = findConversation(given)
      if (found?.name !== undefined) return found
      return found === undefined && random.chance(0.5)
        ? 'panic error: runtime error: invalid memory address or nil pointer dereference'
        : 'conversation not found'
    }
    const name = text(fields(call.body['parameters'])['CONVERSATION_NAME'])
    if (name === undefined) return 'conversation name is requried'
    return (
      [...world.conversations.values()].find((other) => other.name === name && !other.isGone) ??
      shareConversation((other) => other.name !== undefined && other.owner !== person) ??
      createUpstreamConversation(world, person, name, false)
    )
  }

  function bot(call: Call): void {
    const person = text(call.body['user_id']) ?? everybody
    const given = call.query.get('conversation_id')
    if (given === '') {
      return reply(call, { code: 400, msg: "unable to decode '' as int64" }, 400)
    }
    const messages = list(call.body['additional_messages'])
    const content = text(messages.at(-1)?.['content'])
    if (content === undefined) return reply(call, { code: 400, msg: 'no question' }, 400)
    // An id of no conversation opens a new one, without a word.
    const conversation =
      findConversation(given) ??
      shareConversation(
        (other) => other.name === undefined && other.messages.length > 0 && other.owner !== person,
      ) ??
      createUpstreamConversation(world, person, undefined, false)
    const carried = texts(fields(call.body['extra_params']))
    const replyId = carried['reply_id']
    meet(conversation, person, replyId)
    // What comes before the question is one earlier run.
    const seedsId = messages.length > 1 ? world.newId() : undefined
    runChat(
      world,
      {
        principal: person,
        conversation,
        isBot: true,
        replyId,
        text: content,
        carried,
        tell: (chat, isOdd) => createStudioTelling(chat, random, isOdd),
        keep(chat) {
          for (const seed of messages.slice(0, -1)) {
            const isUser = seed['role'] === 'user'
            storeMessage(world, chat, {
              role: isUser ? 'user' : 'assistant',
              type: isUser ? 'question' : 'answer',
              content: text(seed['content']) ?? '',
              metaData: {},
              ...(seedsId !== undefined && { chatId: seedsId }),
            })
          }
          const row = { role: 'user', type: 'question', content, metaData: carried } as const
          storeMessage(world, chat, row)
        },
      },
      call.answer,
    )
  }

  /** There is no busy conversation: whoever comes runs beside who is there. */
  function meet(conversation: Conversation, person: string, replyId: string | undefined): void {
    world.onSending(replyId, conversation.id)
    const { running, isShared } = conversation
    if (running?.principal === person && !isShared) world.onMeeting(replyId, running)
  }

  /** The leak: names or ids do not keep conversations apart (T13). */
  function shareConversation(
    mayBe: (conversation: Conversation) => boolean,
  ): Conversation | undefined {
    const others = [...world.conversations.values()].filter((one) => !one.isGone && mayBe(one))
    if (others.length === 0 || !world.faults.strikes('T13', 0.4)) return undefined
    const shared = random.pickAny(others)
    if (shared !== undefined) shared.isShared = true
    world.faults.reach('T13')
    return shared
  }

  function retrieveChat(call: Call): void {
    const found = findChat(call.query.get('chat_id'))
    if (found === undefined) return answerText(call.answer, 500, 'record not found')
    if (found.conversation.isGone) return answerText(call.answer, 500, '')
    const usage = { token_count: 18, output_count: 7, input_count: 11 }
    const data = { ...chatView(found, recordedStatus(found)), usage }
    reply(call, { data, code: 0, msg: '', BaseResp: null })
  }

  /** Everything of the run; without rows there is no list. */
  function listChatMessages(call: Call): void {
    const conversation = findConversation(call.query.get('conversation_id'))
    if (conversation === undefined) return answerText(call.answer, 500, '')
    const chatId = call.query.get('chat_id')
    const rows = listedRows(world, conversation)
      .filter((row) => row.chatId === chatId)
      .map(rowView)
    reply(call, { ...(rows.length > 0 && { Messages: rows }), code: 0, msg: '', BaseResp: null })
  }

  function cancel(call: Call): void {
    const found = findChat(text(call.body['chat_id']) ?? null)
    if (found === undefined) return reply(call, { code: 400, msg: 'record not found' }, 400)
    if (!cancelChat(found)) {
      const msg = 'code=103200005 message=in progress can not be cancelled\nstack=here'
      return reply(call, { code: 400, msg }, 400)
    }
    const detail = chatView(found, recordedStatus(found))
    reply(call, { ChatV3ChatDetail: detail, BaseResp: null })
  }

  function findConversation(id: string | null): Conversation | undefined {
    const found = id === null ? undefined : world.conversations.get(id)
    return found?.isGone === true ? undefined : found
  }

  function findChat(id: string | null): Chat | undefined {
    return id === null ? undefined : world.chats.get(id)
  }

  /** Nearly every error before the stream of a chatflow is told under one code. */
  function refuseFlow(call: Call, why: string): void {
    reply(call, { code: 777_777_775, msg: `Workflow operation failure: ${why}` })
  }

  function reply(call: Call, body: object, status = 200): void {
    answerJson(world, call.answer, status, body)
  }

  return {
    unauthenticated(call) {
      if (calls.has(call.path) || conversationIn(call) !== undefined) return false
      refuseUnknown(call)
      return true
    },
    refuseToken(call) {
      reply(call, { code: 700_012_006, msg: 'authentication failed: CheckPermission failed' })
    },
    begin,
  }
}
