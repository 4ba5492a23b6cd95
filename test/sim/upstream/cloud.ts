import { cancelChat, resumeChat, runChat } from './chat.ts'
import { answerJson, type Call, fields, list, text, texts } from './call.ts'
import { createCloudTelling } from './cloud-telling.ts'
import { exchangeAssertion } from './tokens.ts'
import type { Endpoints } from './call.ts'
import { chatView, messageRow } from './views.ts'
import {
  type Chat,
  type Conversation,
  createUpstreamConversation,
  deleteConversation,
  listedRows,
  storeMessage,
  type UpstreamWorld,
  variablesOf,
} from './world.ts'

/** A small model of the cloud, written without a look at the client that calls it. */
export function createCloud(world: UpstreamWorld): Endpoints {
  const { random } = world

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
            listedRows(world, found.conversation)
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
          if (found.status === 'requires_action') goOn(found, call)
          else reply(call, 200, { code: 4000, msg: 'nothing was asked' })
        })
      case '/v1/variables':
        return call.method === 'PUT' ? setVariables(call) : listVariables(call)
      default:
        if (call.method === 'DELETE') return deleteById(call, principal)
        return reply(call, 404, { code: 4200, msg: 'no such call' })
    }
  }

  function deleteById(call: Call, principal: string): void {
    const [, id] = /^\/v1\/conversations\/(\d+)$/.exec(call.path) ?? []
    const found = findConversation(principal, id ?? null)
    if (found === undefined) return reply(call, 200, { code: 4200, msg: 'not found' })
    deleteConversation(world, found)
    found.isGone = true
    succeed(call, {})
  }

  /** What runs of a user have left behind. */
  function listVariables(call: Call): void {
    const keeper = call.query.has('app_id') ? 'app' : 'bot'
    const isFilled = world.variables.has(variablesOf(keeper, call.query.get('connector_uid') ?? ''))
    succeed(call, { items: isFilled ? [{ keyword: 'memory', value: 'something' }] : [] })
  }

  function setVariables(call: Call): void {
    const { body } = call
    const keeper = text(body['app_id']) === undefined ? 'bot' : 'app'
    const isEmptied = list(body['data']).every(({ value }) => value === '')
    if (isEmptied) world.variables.delete(variablesOf(keeper, text(body['connector_uid']) ?? ''))
    succeed(call, {})
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
    const messages = list(call.body['additional_messages'])
    const last = messages.at(-1)
    const content = text(last?.['content'])
    const metaData = texts(fields(last?.['meta_data']))
    world.onSending(metaData['reply_id'], given ?? conversation?.id ?? '')
    if (conversation === undefined) {
      return reply(call, 200, {
        code: random.pick([4001, 4002, 777777775]),
        msg: 'conversation not found',
      })
    }
    const { running } = conversation
    if (running?.principal === principal) world.onMeeting(metaData['reply_id'], running)
    const isBusy = running !== undefined || world.clock.monotonic() < conversation.busyUntil
    if (isBusy) return reply(call, 200, { code: 4016, msg: 'busy' })
    if (last?.['role'] !== 'user' || content === undefined) {
      return reply(call, 200, { code: 4000, msg: 'no question' })
    }
    runChat(
      world,
      {
        principal,
        conversation,
        isBot,
        replyId: metaData['reply_id'],
        text: content,
        carried: {},
        tell: (begun, isOdd) => createCloudTelling(begun, random, isOdd),
        keep(begun) {
          storeMessage(world, begun, { role: 'user', type: 'question', content, metaData })
        },
      },
      call.answer,
    )
  }

  function goOn(found: Chat, call: Call): void {
    resumeChat(world, found, call.answer, (begun, isOdd) =>
      createCloudTelling(begun, random, isOdd),
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
    const rows = listedRows(world, conversation)
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

  return {
    unauthenticated(call) {
      if (!call.path.startsWith('/api/permission/oauth2/')) return false
      exchangeToken(call)
      return true
    },
    refuseToken,
    begin,
  }
}
