import { Buffer } from 'node:buffer'
import { composeAnswer, cutText } from './answer.ts'
import { writeFrame } from './frames.ts'
import { markerOf } from './markers.ts'
import type { WireAnswer } from './server.ts'
import { revokeToken } from './tokens.ts'
import type { Telling, Told } from './telling.ts'
import { drawTwist, type FailureTwist } from './twists.ts'
import { requiredAction } from './views.ts'
import {
  type Chat,
  type Conversation,
  storeMessage,
  type UpstreamWorld,
  variablesOf,
} from './world.ts'

export interface ChatRequest {
  readonly principal: string
  readonly conversation: Conversation
  readonly isBot: boolean
  readonly replyId: string | undefined
  readonly text: string
  /** The `meta_data` of all its messages. */
  readonly carried: Readonly<Record<string, string>>
  readonly tell: Tell
  /** Stores what the run was told, before it begins. */
  keep(chat: Chat): void
}

/** `isOdd`: in frames that take the liberties of the format. */
type Tell = (chat: Chat, isOdd: boolean) => Telling

/** Takes a message on and runs it to its end, whoever listens. */
export function runChat(world: UpstreamWorld, request: ChatRequest, answer: WireAnswer): void {
  const { principal, conversation, text, tell } = request
  const chat = beginChat(world, request)
  conversation.running = chat
  const parts = composeAnswer(world.random, { principal, text, conversation })
  const telling = tell(chat, world.faults.isDrawn('F12'))
  play(world, chat, { answer, telling, parts, mayTwist: true })
}

/** Takes a message on that breaks the run before it can say anything. */
export function breakChat(world: UpstreamWorld, request: ChatRequest): void {
  beginChat(world, request).status = 'failed'
}

function beginChat(world: UpstreamWorld, request: ChatRequest): Chat {
  const { principal, conversation, isBot, replyId, carried } = request
  const chat: Chat = {
    id: world.newId(),
    conversation,
    principal,
    replyId,
    isBot,
    carried,
    status: 'in_progress',
    isLost: false,
    wasCancelled: false,
    errorCode: 0,
    finalText: undefined,
    isAltered: false,
    listedFrom: 0,
    toolCallIds: [],
    spoken: [],
  }
  world.chats.set(chat.id, chat)
  world.variables.add(variablesOf(isBot ? 'bot' : 'app', principal))
  request.keep(chat)
  return chat
}

/** Goes on after the outputs that it asked for. */
export function resumeChat(world: UpstreamWorld, chat: Chat, answer: WireAnswer, tell: Tell): void {
  const { principal, conversation } = chat
  chat.status = 'in_progress'
  conversation.running = chat
  const text = 'the outputs'
  const parts = composeAnswer(world.random, { principal, text, conversation })
  const telling = tell(chat, world.faults.isDrawn('F12'))
  play(world, chat, { answer, telling, parts, mayTwist: false })
}

/** As the platform: it flips the state, and neither stops the stream nor the run. */
export function cancelChat(chat: Chat): boolean {
  if (chat.status !== 'in_progress') return false
  chat.status = 'canceled'
  chat.wasCancelled = true
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
  options: {
    readonly answer: WireAnswer
    readonly telling: Telling
    readonly parts: readonly string[]
    readonly mayTwist: boolean
  },
): void {
  const { random, faults, clock } = world
  const { answer, telling, parts, mayTwist } = options
  const { dialect } = telling
  const drawn = mayTwist ? drawTwist(faults, random, world.platform) : undefined
  const twist = drawn?.twist
  let frames = 0
  /** Nothing is said any more, though the run may go on. */
  let isSilent = false
  const { spoken } = chat

  const reach = () => drawn && faults.reach(drawn.row)
  const write = ({ name, data }: Told) => {
    frames += 1
    const written = typeof data === 'string' ? data : JSON.stringify(data)
    answer.write(writeFrame(dialect, name, written, frames))
  }
  const say = (name: string, data: object | string) => {
    if (!isSilent && answer.isOpen) write({ name, data })
  }
  const sayChat = (name: string, more: object = {}) => {
    say(`conversation.chat.${name}`, { ...telling.chat(name), ...more })
  }
  /** Nothing it does counts any more. */
  const isOver = () =>
    chat.status !== 'in_progress' && !(chat.status === 'canceled' && telling.ignoresCancels)
  const keep = (message: Parameters<typeof storeMessage>[2]) => {
    if (!telling.forgetsUnread || answer.isOpen) storeMessage(world, chat, message)
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
    if (isOver()) return
    chat.status = status
    chat.errorCode = errorCode
    if (twist === 'cut' && random.chance(0.3)) {
      chat.listedFrom = clock.monotonic() + random.pick([500, 3_000, 15_000])
    }
    if (status !== 'requires_action' && chat.conversation.running === chat) {
      chat.conversation.running = undefined
    }
    if (chat.conversation.running === chat) chat.conversation.running = undefined
  }
  const hangUp = () => {
    if (isSilent || !answer.isOpen) return
    if (twist === 'no-done') reach()
    else write(telling.done)
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
  if (telling.tellsThoughts && random.chance(0.3)) {
    const id = world.newId()
    for (const piece of cutText(random, 'let me think about it 🤔 for a while')) {
      then(() =>
        say('conversation.message.delta', {
          ...telling.message(id, ''),
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
      say('conversation.message.delta', telling.message(message.id, piece))
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
      if (isOver()) return
      const isCorrected = twist === 'corrected' && index === 0
      const final = isCorrected ? correct(message.text) : message.text
      if (isCorrected) {
        chat.isAltered = true
        reach()
      }
      spoken.push(final)
      if (chat.isAltered) world.onCorrecting()
      keep({
        role: 'assistant',
        type: 'answer',
        content: final,
        metaData: chat.carried,
        id: message.id,
      })
      say('conversation.message.completed', telling.answer(message.id, final))
      if (twist === 'late-delta') {
        reach()
        chat.isAltered = true
        delta(' too late')
      }
    })
  }
  then(() => {
    if (twist === 'ends-early') cut(false)
    if (twist === 'asks' && telling.canAsk) return ask()
    if (telling.notesFinish) noteFinish()
    if (random.chance(0.2)) {
      const followUp = { ...telling.message(world.newId(), 'And then?'), type: 'follow_up' }
      say('conversation.message.completed', followUp)
      keep({
        role: 'assistant',
        type: 'follow_up',
        content: 'And then?',
        metaData: chat.carried,
      })
    }
    end('completed')
    if (chat.status === 'completed')
      chat.finalText = spoken.filter((part) => part !== '').join('\n\n')
    if (twist === 'no-completed') reach()
    else sayChat(chat.status === 'completed' ? 'completed' : 'canceled')
    if (twist === 'second-end') {
      reach()
      sayChat('completed')
    }
  })
  then(hangUp, random.between(0, 30))
  world.runs.set(chat, lose)
  next()

  function next(): void {
    const step = steps.shift()
    if (step === undefined) {
      world.runs.delete(chat)
      return
    }
    clock.timer(step.afterMs, () => {
      if (chat.isLost) return
      step.run()
      next()
    })
  }

  /** The platform's process ends, and knows nothing of it afterwards. */
  function lose(): void {
    chat.isLost = true
    if (chat.conversation.running === chat) chat.conversation.running = undefined
    if (answer.isOpen) answer.reset()
  }

  function noteFinish(): void {
    const note = '{"msg_type":"generate_answer_finish"}'
    const id = world.newId()
    say('conversation.message.completed', { ...telling.message(id, note), type: 'verbose' })
    if (!telling.keepsNotes) return
    keep({ role: 'assistant', type: 'verbose', content: note, metaData: chat.carried, id })
  }

  /** The question that a Workflow asks, or the tool that a Bot wants used. */
  function ask(): void {
    reach()
    chat.finalText = spoken.join('\n\n')
    end('requires_action')
    chat.toolCallIds = telling.toolCallIds
    sayChat('requires_action', { required_action: requiredAction(chat) })
  }

  function strike(delta: (piece: string) => void): void {
    switch (twist) {
      case 'revoked':
        reach()
        for (const token of world.tokens.values()) {
          const isItsOwn = world.platform === 'studio' || token.principal === chat.principal
          if (isItsOwn) revokeToken(world, token)
        }
        return cut()
      case 'cut':
        return cut()
      case 'stalled': {
        reach()
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
        for (let index = 0; index < 320; index += 1) {
          steps.unshift({ afterMs: 20, run: () => void (answer.isOpen && delta(`more-${index} `)) })
        }
        return
      case 'foreign-chat':
      case 'foreign-conversation':
        return sayForeign()
      case 'fails':
      case 'error':
      case 'canceled':
        reach()
        return fail(twist)
      default:
        return
    }
  }

  function fail(how: FailureTwist): void {
    const { status, code, events, isOver: isCut } = telling.failed(how)
    end(status, code)
    for (const { name, data } of events) say(name, data)
    steps.splice(0, steps.length)
    if (!isCut) steps.push({ afterMs: 5, run: hangUp })
    else if (answer.isOpen) answer.end()
  }

  /** Somebody else's words, under the ids of another run. */
  function sayForeign(): void {
    const other = [...world.chats.values()].find(
      ({ principal, conversation }) =>
        personIn(principal) !== personIn(chat.principal) && conversation !== chat.conversation,
    )
    const text = `${other === undefined ? markerOf('nobody') : personIn(other.principal)} is private`
    const ids =
      twist === 'foreign-chat'
        ? { chat_id: other?.id ?? '42', conversation_id: chat.conversation.id }
        : { chat_id: chat.id, conversation_id: other?.conversation.id ?? '43' }
    reach()
    say('conversation.message.delta', { ...telling.message(world.newId(), text), ...ids })
  }
}

/** The marker of whoever is behind a name: an erased session goes on under another one. */
function personIn(principal: string): string {
  return principal.match(/@\w+@/)?.[0] ?? ''
}

function correct(text: string): string {
  const at = Math.floor(text.length * 0.6)
  return `${text.slice(0, at).toWellFormed()} corrected`
}
