import { cancelChat, resumeChat, runChat } from './chat.ts'
import { answerJson, type Call, type Fields } from './call.ts'
import { meetRefusal } from './refusals.ts'
import type { UpstreamServer, WireAnswer, WireRequest } from './server.ts'
import { exchangeAssertion, findToken } from './tokens.ts'
import { chatView, messageRow } from './views.ts'
import {
  type Chat,
  type Conversation,
  createUpstreamConversation,
  type UpstreamWorld,
} from './world.ts'

/** A small model of the platform (coze-api.md), written without a look at the client that calls it. */
export function createUpstream(world: UpstreamWorld): UpstreamServer {
  const { random } = world

  function handle(request: WireRequest, answer: WireAnswer): void {
    const { pathname, searchParams } = new URL(request.path, 'https://upstream.test')
    const call: Call = {
      path: pathname,
      query: searchParams,
      body: parseFields(request.body),
      bearer: (request.headers.get('authorization') ?? '').replace(/^Bearer /, ''),
      answer,
    }
    if (pathname.startsWith('/api/permission/oauth2/')) return exchangeToken(call)
    const token = findToken(world, call.bearer)
    if (token === undefined) return refuseToken(call)
    if (meetRefusal(world, call, token, (other) => begin(other, token.principal))) return
    begin(call, token.principal)
  }

  function exchangeToken(call: Call): void {
    if (world.faults.strikes('F5', 0.3)) {
      world.faults.reach('F5')
      if (random.chance(0.5)) {
        return reply(call, 500, { error_code: 'internal_error', error_message: 'busy' })
      }
      const ms = random.pick([3000, 12_000])
      return void world.clock.timer(ms, () => exchangeNow(call))
    }
    exchangeNow(call)
  }

  function exchangeNow(call: Call): void {
    const seconds = call.body['duration_seconds']
    const done = exchangeAssertion(world, call.bearer, typeof seconds === 'number' ? seconds : 900)
    if (done.type === 'refused') {
      return reply(call, 401, { error_code: 'invalid_client', error_message: done.why })
    }
    reply(call, 200, { access_token: done.accessToken, expires_in: done.expiresIn })
  }

  function refuseToken(call: Call): void {
    if (random.chance(0.5)) reply(call, 401, { code: 4100, msg: 'authentication is invalid' })
    else reply(call, 200, { code: 700012006, msg: 'access token invalid' })
  }

  function begin(call: Call, principal: string): void {
    switch (call.path) {
      case '/v1/conversation/create':
        return createConversation(call, principal)
      case '/v1/conversation/message/list':
        return listMessages(call, principal)
      case '/v1/workflows/chat':
        return chat(call, principal, false)
      case '/v3/chat':
        return chat(call, principal, true)
      case '/v3/chat/retrieve':
        return withChat(call, principal, (found) => succeed(call, chatView(found)))
      case '/v3/chat/message/list':
        return withChat(call, principal, (found) =>
          succeed(
            call,
            found.conversation.messages
              .filter(({ chatId, type }) => chatId === found.id && type !== 'question')
              .map(messageRow),
          ),
        )
      case '/v3/chat/cancel':
        return withChat(call, principal, (found) => {
          if (cancelChat(found)) succeed(call, chatView(found))
          else reply(call, 200, { code: 4104, msg: 'not running' })
        })
      case '/v3/chat/submit_tool_outputs':
        return withChat(call, principal, (found) => {
          if (found.status === 'requires_action') resumeChat(world, found, call.answer)
          else reply(call, 200, { code: 4000, msg: 'nothing was asked' })
        })
      default:
        return reply(call, 404, { code: 4200, msg: 'no such call' })
    }
  }

  function createConversation(call: Call, principal: string): void {
    const name = text(call.body['conversation_name'])
    const found = name === undefined ? undefined : findByName(principal, name)
    const shared = found === undefined ? shareConversation(principal) : undefined
    const { id } = found ?? shared ?? createUpstreamConversation(world, principal, name, true)
    succeed(call, { id, last_section_id: id, meta_data: {} })
  }

  function findByName(principal: string, name: string): Conversation | undefined {
    return [...world.conversations.values()].find(
      (other) => other.owner === principal && other.name === name,
    )
  }

  /**
   * The classic leak (T13): a conversation that is somebody else's as well. Only of those that were created by a call: one
   * that the first run makes is shared before anybody can know of it.
   */
  function shareConversation(principal: string): Conversation | undefined {
    const others = [...world.conversations.values()].filter(
      ({ owner, isCreated }) => owner !== principal && isCreated,
    )
    if (others.length === 0 || !world.faults.strikes('T13', 0.5)) return undefined
    const shared = random.pickAny(others)
    if (shared !== undefined) shared.isShared = true
    world.faults.reach('T13')
    return shared
  }

  function chat(call: Call, principal: string, isBot: boolean): void {
    const given = isBot ? call.query.get('conversation_id') : text(call.body['conversation_id'])
    const parameters = fields(call.body['parameters'])
    const name = text(parameters['CONVERSATION_NAME']) ?? 'Default'
    const conversation =
      given === null || given === undefined
        ? (findByName(principal, name) ?? createUpstreamConversation(world, principal, name, false))
        : findConversation(principal, given)
    if (conversation === undefined) {
      return reply(call, 200, {
        code: random.pick([4001, 4002, 777777775]),
        msg: 'conversation not found',
      })
    }
    const messages = list(call.body['additional_messages'])
    const last = messages.at(-1)
    const content = text(last?.['content'])
    const metaData = texts(fields(last?.['meta_data']))
    const { running } = conversation
    if (running?.principal === principal) world.onMeeting(metaData['reply_id'], running)
    const isBusy = running !== undefined || world.clock.monotonic() < conversation.busyUntil
    if (isBusy) return reply(call, 200, { code: 4016, msg: 'busy' })
    if (last?.['role'] !== 'user' || content === undefined) {
      return reply(call, 200, { code: 4000, msg: 'no question' })
    }
    runChat(
      world,
      { principal, conversation, isBot, replyId: metaData['reply_id'], text: content, metaData },
      call.answer,
    )
  }

  function findConversation(principal: string, id: string | null): Conversation | undefined {
    const found = id === null ? undefined : world.conversations.get(id)
    if (found === undefined || found.isGone) return undefined
    return found.owner === principal || found.isShared ? found : undefined
  }

  function listMessages(call: Call, principal: string): void {
    const conversation = findConversation(principal, call.query.get('conversation_id'))
    if (conversation === undefined) return reply(call, 200, { code: 4002, msg: 'not found' })
    const chatId = text(call.body['chat_id'])
    const rows = conversation.messages
      .filter((row) => chatId === undefined || row.chatId === chatId)
      .toReversed()
      .slice(0, 50)
    const data = rows.map(messageRow)
    reply(call, 200, { code: 0, msg: '', data, has_more: false, first_id: '', last_id: '' })
  }

  function withChat(call: Call, principal: string, use: (chat: Chat) => void): void {
    const id = call.query.get('chat_id') ?? text(call.body['chat_id'])
    const found = id === undefined ? undefined : world.chats.get(id)
    if (found?.principal !== principal) return reply(call, 200, { code: 4001, msg: 'not found' })
    use(found)
  }

  function succeed(call: Call, data: unknown): void {
    reply(call, 200, { code: 0, msg: '', data })
  }

  function reply(call: Call, status: number, body: object): void {
    answerJson(world, call.answer, status, body)
  }

  return { handle }
}

function parseFields(body: string): Fields {
  return body === '' ? {} : fields(JSON.parse(body))
}

function fields(value: unknown): Fields {
  return isFields(value) ? value : {}
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function texts(from: Fields): Readonly<Record<string, string>> {
  const entries = Object.entries(from).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  )
  return Object.fromEntries(entries)
}
