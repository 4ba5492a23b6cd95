import { Buffer } from 'node:buffer'
import { composeAnswer, cutText } from './answer.ts'
import { oddDialect, plainDialect, writeFrame } from './frames.ts'
import { markerOf } from './markers.ts'
import type { WireAnswer } from './server.ts'
import { drawTwist } from './twists.ts'
import { chatView, messageView, requiredAction } from './views.ts'
import { type Chat, type Conversation, storeMessage, type UpstreamWorld } from './world.ts'

export interface ChatRequest {
  readonly principal: string
  readonly conversation: Conversation
  readonly isBot: boolean
  readonly replyId: string | undefined
  readonly text: string
  readonly metaData: Readonly<Record<string, string>>
}

/** Takes a message on and runs it to its end, whoever listens. */
export function runChat(world: UpstreamWorld, request: ChatRequest, answer: WireAnswer): Chat {
  const { principal, conversation, isBot, replyId, text, metaData } = request
  const { random } = world
  const chat: Chat = {
    id: world.newId(),
    conversation,
    principal,
    replyId,
    isBot,
    status: 'in_progress',
    errorCode: 0,
    finalText: undefined,
    isAltered: false,
    hasStalled: false,
    toolCallIds: [],
    spoken: [],
  }
  world.chats.set(chat.id, chat)
  conversation.running = chat
  storeMessage(world, chat, { role: 'user', type: 'question', content: text, metaData })
  const parts = composeAnswer(random, { principal, text, conversation })
  play(world, chat, answer, parts, true)
  return chat
}

/** Goes on after the outputs that it asked for. */
export function resumeChat(world: UpstreamWorld, chat: Chat, answer: WireAnswer): void {
  const { principal, conversation } = chat
  chat.status = 'in_progress'
  conversation.running = chat
  const text = 'the outputs'
  play(world, chat, answer, composeAnswer(world.random, { principal, text, conversation }), false)
}

/** As the platform: it flips the state, and neither stops the stream nor the run. */
export function cancelChat(chat: Chat): boolean {
  if (chat.status !== 'in_progress') return false
  chat.status = 'canceled'
  if (chat.conversation.running === chat) chat.conversation.running = undefined
  return true
}

interface Step {
  readonly afterMs: number
  run(): void
}

function play(
  world: UpstreamWorld,
  chat: Chat,
  answer: WireAnswer,
  parts: readonly string[],
  mayTwist: boolean,
): void {
  const { random, faults, clock } = world
  const drawn = mayTwist ? drawTwist(faults, random) : undefined
  const twist = drawn?.twist
  const dialect = faults.isDrawn('F12') ? oddDialect(chat.isBot, random) : plainDialect(chat.isBot)
  /** Nothing is said any more, though the run may go on. */
  let isSilent = false
  const { spoken } = chat

  const reach = () => drawn && faults.reach(drawn.row)
  const say = (name: string, data: object) => {
    if (!isSilent && answer.isOpen) answer.write(writeFrame(dialect, name, JSON.stringify(data)))
  }
  const sayChat = (name: string, more: object = {}) => {
    say(`conversation.chat.${name}`, { ...chatView(chat), ...more })
  }
  const cut = (dangling = true) => {
    if (answer.isOpen && !isSilent) {
      reach()
      if (dangling)
        answer.write(Buffer.from(`event:conversation.message.delta\ndata:{"content":"lost`))
      if (dangling || random.chance(0.5)) answer.reset()
      else answer.end()
    }
    isSilent = true
  }
  const end = (status: Chat['status'], errorCode = 0) => {
    if (chat.status !== 'in_progress') return
    chat.status = status
    chat.errorCode = errorCode
    if (status !== 'requires_action' && chat.conversation.running === chat) {
      chat.conversation.running = undefined
    }
    if (chat.conversation.running === chat) chat.conversation.running = undefined
  }
  const hangUp = () => {
    if (isSilent || !answer.isOpen) return
    if (twist === 'no-done') reach()
    else if (chat.isBot) answer.write(writeFrame(dialect, 'done', '"[DONE]"'))
    else answer.write(writeFrame(dialect, 'done', '{"debug_url":"https://upstream.test/debug"}'))
    answer.end()
    isSilent = true
  }

  const steps: Step[] = []
  const gap = () => (random.chance(0.05) ? random.between(800, 2500) : random.between(5, 250))
  const then = (run: () => void, afterMs = gap()) => void steps.push({ afterMs, run })

  then(() => {
    answer.head(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-tt-logid': 'log' })
    if (dialect.bom) answer.write(Buffer.from([0xef, 0xbb, 0xbf]))
    sayChat('created')
  })
  then(() => sayChat('in_progress'), random.between(0, 20))
  if (chat.isBot && random.chance(0.3)) {
    const id = world.newId()
    for (const piece of cutText(random, 'let me think about it 🤔 for a while')) {
      then(() =>
        say('conversation.message.delta', {
          ...messageView(chat, id, ''),
          reasoning_content: piece,
        }),
      )
    }
  }

  const messages = parts.map((text) => ({ id: world.newId(), text, pieces: cutText(random, text) }))
  const total = messages.reduce((sum, { pieces }) => sum + pieces.length, 0)
  const twistAt = random.between(0, Math.max(0, total - 1))
  let count = 0
  for (const [index, message] of messages.entries()) {
    const delta = (piece: string) =>
      say('conversation.message.delta', messageView(chat, message.id, piece))
    const pieces = [...message.pieces]
    if (twist === 'reordered' && pieces.length > 2) {
      const [first = '', second = '', ...rest] = pieces
      pieces.splice(0, pieces.length, second, first, ...rest)
      chat.isAltered = true
      reach()
    }
    for (const piece of pieces) {
      const at = count
      count += 1
      then(() => {
        if (at === twistAt) strike(delta)
        delta(piece)
        if (twist === 'twice') {
          chat.isAltered = true
          reach()
          delta(piece)
        }
      })
    }
    then(() => {
      if (chat.status !== 'in_progress') return
      const isCorrected = twist === 'corrected' && index === 0
      const final = isCorrected ? correct(message.text) : message.text
      if (isCorrected) {
        chat.isAltered = true
        reach()
      }
      spoken.push(final)
      if (chat.isAltered) world.onCorrecting()
      storeMessage(world, chat, {
        role: 'assistant',
        type: 'answer',
        content: final,
        metaData: {},
        id: message.id,
      })
      say('conversation.message.completed', messageView(chat, message.id, final))
      if (twist === 'late-delta') {
        reach()
        chat.isAltered = true
        delta(' too late')
      }
    })
  }
  then(() => {
    if (twist === 'ends-early') cut(false)
    if (twist === 'asks') return ask()
    say('conversation.message.completed', {
      ...messageView(chat, world.newId(), '{"msg_type":"generate_answer_finish"}'),
      type: 'verbose',
    })
    if (random.chance(0.2)) {
      const followUp = { ...messageView(chat, world.newId(), 'And then?'), type: 'follow_up' }
      say('conversation.message.completed', followUp)
      storeMessage(world, chat, {
        role: 'assistant',
        type: 'follow_up',
        content: 'And then?',
        metaData: {},
      })
    }
    end('completed')
    if (chat.status === 'completed')
      chat.finalText = spoken.filter((part) => part !== '').join('\n\n')
    sayChat(chat.status === 'completed' ? 'completed' : 'canceled')
    if (twist === 'second-end') {
      reach()
      sayChat('completed')
    }
  })
  then(hangUp, random.between(0, 30))
  next()

  function next(): void {
    const step = steps.shift()
    if (step === undefined) return
    clock.timer(step.afterMs, () => {
      step.run()
      next()
    })
  }

  /** The question that a Workflow asks, or the tool that a Bot wants used. */
  function ask(): void {
    reach()
    chat.finalText = spoken.join('\n\n')
    end('requires_action')
    if (chat.isBot) chat.toolCallIds = [`call-${chat.id}`]
    sayChat('requires_action', { required_action: requiredAction(chat) })
  }

  function strike(delta: (piece: string) => void): void {
    switch (twist) {
      case 'revoked':
        for (const token of world.tokens.values()) {
          if (token.principal === chat.principal) token.isRevoked = true
        }
        return cut()
      case 'cut':
        return cut()
      case 'stalled': {
        reach()
        chat.hasStalled = true
        isSilent = true
        if (random.chance(0.5)) steps.unshift({ afterMs: 90_000, run() {} })
        return
      }
      case 'malformed':
        reach()
        if (answer.isOpen)
          answer.write(Buffer.from('event:conversation.message.delta\ndata:{"id":\n\n'))
        return
      case 'oversized':
        reach()
        return delta('x'.repeat(6000))
      case 'endless-line':
        reach()
        for (let index = 0; index < 8; index += 1) answer.write(Buffer.from('x'.repeat(2000)))
        return
      case 'endless':
        reach()
        chat.isAltered = true
        chat.hasStalled = true
        for (let index = 0; index < 320; index += 1) {
          steps.unshift({ afterMs: 20, run: () => void (answer.isOpen && delta(`more-${index} `)) })
        }
        return
      case 'foreign-chat':
      case 'foreign-conversation':
        return sayForeign()
      case 'fails':
        reach()
        end('failed', 5000)
        sayChat('failed', { last_error: { code: 5000, msg: 'on purpose' } })
        steps.splice(0, steps.length, { afterMs: 5, run: hangUp })
        return
      case 'error':
        reach()
        end('failed', 4011)
        say('error', chat.isBot ? { code: 4011, msg: 'no' } : { code: '4011', msg: 'no' })
        steps.splice(0, steps.length)
        if (answer.isOpen) answer.end()
        return
      case 'canceled':
        reach()
        end('canceled')
        sayChat('canceled')
        steps.splice(0, steps.length, { afterMs: 5, run: hangUp })
        return
      default:
        return
    }
  }

  /** Somebody else's words, under the ids of another run. */
  function sayForeign(): void {
    const other = [...world.chats.values()].find(({ principal }) => principal !== chat.principal)
    const text = `${other === undefined ? markerOf('nobody') : (other.principal.match(/@\w+@/)?.[0] ?? '')} is private`
    const ids =
      twist === 'foreign-chat'
        ? { chat_id: other?.id ?? '42', conversation_id: chat.conversation.id }
        : { chat_id: chat.id, conversation_id: other?.conversation.id ?? '43' }
    reach()
    say('conversation.message.delta', { ...messageView(chat, world.newId(), text), ...ids })
  }
}

function correct(text: string): string {
  const at = Math.floor(text.length * 0.6)
  return `${text.slice(0, at).toWellFormed()} corrected`
}
