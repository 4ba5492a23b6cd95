import type { AssistantId, ConversationId, Reply, ReplyId, ToolCall } from '../../src/domain.ts'
import { GatewayError } from '../../src/errors.ts'
import { StoreError } from '../../src/store/store.ts'
import { unionCodes } from '../kit/schema/codes.ts'
import { call } from './calls.ts'
import { describeError } from './fault-text.ts'
import { assistantIds } from './gateway.ts'
import { sessionIdOf } from './people.ts'
import { keyOf } from './store/accept.ts'
import type { Supervisor } from './supervisor.ts'
import { markerOf } from './upstream/markers.ts'
import type { World } from './world.ts'

/** What a person does: sends, sends again, cancels, answers what it is asked. */
export interface PersonClient {
  /** Sends until it is done. */
  talk(messages: number): Promise<void>
  /** Answers what a reply asks, or leaves it. */
  answerTools(replyId: ReplyId, calls: readonly ToolCall[]): void
  /** May go on in a conversation at once, as soon as a reply in it has ended. */
  goOn(conversationId: ConversationId): void
  /** Hears of each reply once. */
  onReply(hear: (reply: Reply) => void): void
}

interface Sending {
  readonly text: string
  readonly assistantId: AssistantId | undefined
  readonly conversationId: ConversationId | undefined
  readonly onBusy: 'QUEUE' | 'REJECT' | 'INTERRUPT'
  readonly key: string | undefined
}

const maxTries = 6
const maxHurries = 4

export function createClient(world: World, supervisor: Supervisor, person: string): PersonClient {
  const { clock } = world.timeline
  const { faults, history } = world
  const random = world.random.fork(`client ${person}`)
  const forever = new AbortController().signal
  const wait = (ms: number) => clock.sleep(ms, forever)
  const replies = new Set<ReplyId>()
  const answered = new Set<string>()
  let hear: (reply: Reply) => void = () => undefined
  const conversations = new Map<AssistantId, Set<ConversationId>>()
  const isTidy = random.chance(0.4)
  let count = 0
  let hurries = 0

  async function newConversation(assistantId: AssistantId): Promise<ConversationId | undefined> {
    const gateway = await supervisor.current()
    const outcome = await call(gateway, async () => {
      const own = await gateway.conversations(person)
      return own.start({ assistantId, title: undefined, idempotency: undefined })
    })
    if (outcome.type === 'refused') refused(outcome.error)
    return outcome.type === 'answered' ? outcome.value.id : undefined
  }

  async function compose(): Promise<Sending> {
    count += 1
    const assistantId = random.pick(assistantIds) as AssistantId
    const known = [...(conversations.get(assistantId) ?? [])]
    let conversationId = random.chance(0.75) ? random.pickAny(known) : undefined
    if (conversationId === undefined && known.length < 2) {
      conversationId = await newConversation(assistantId)
    }
    return {
      text: `${markerOf(person)} says ${count} ${random.pick(['hello', '你好', '😀'])}`,
      assistantId: random.chance(0.9) ? assistantId : undefined,
      conversationId,
      onBusy: random.pick(['QUEUE', 'QUEUE', 'QUEUE', 'REJECT', 'INTERRUPT']),
      key: random.chance(0.7) ? `key-${count}` : undefined,
    }
  }

  async function sendOnce(sending: Sending): Promise<Reply | 'refused' | 'lost'> {
    const gateway = await supervisor.current()
    const { text, assistantId, conversationId, onBusy, key } = sending
    if (onBusy === 'INTERRUPT') mayCancelAll(key)
    const outcome = await call(gateway, async () => {
      const session = await gateway.replies(person)
      return session.sendMessage({
        text,
        assistantId,
        conversationId,
        attachmentIds: [],
        imageUrls: [],
        extras: { parameters: {}, metadata: {} },
        onBusy,
        idempotency: key === undefined ? undefined : { key, input: text },
      })
    })
    const sent = {
      type: 'send',
      as: person,
      ...(key !== undefined && { idempotencyKey: key }),
    } as const
    if (onBusy === 'INTERRUPT') mayCancelAll(key)
    if (outcome.type === 'answered') {
      const reply = outcome.value
      const { id: replyId, messageId, conversationId: place } = reply
      history.push({ ...sent, accepted: { replyId, messageId, conversationId: place } })
      remember(reply)
      return reply
    }
    history.push(sent)
    if (outcome.type === 'refused') {
      refused(outcome.error)
      return isPassing(outcome.error) ? 'lost' : 'refused'
    }
    return 'lost'
  }

  /** Whichever of this person's replies runs may be the one that is stopped, but for that of the message itself. */
  function mayCancelAll(key?: string): void {
    const { replies: rows, keys } = world.disk.state
    const sessionId = sessionIdOf(person)
    const own = key === undefined ? undefined : keys.get(keyOf({ id: sessionId }, key))?.replyId
    for (const row of rows.values()) {
      if (row.sessionId === sessionId && row.id !== own) world.cancels.add(row.id)
    }
  }

  function remember(reply: Reply): void {
    const known = conversations.get(reply.assistantId) ?? new Set()
    conversations.set(reply.assistantId, known)
    known.add(reply.conversationId)
    if (replies.has(reply.id)) return
    replies.add(reply.id)
    hear(reply)
  }

  /** Says something at once in a conversation that is known. */
  async function goOnIn(conversationId: ConversationId): Promise<void> {
    count += 1
    const text = `${markerOf(person)} hurries ${count}`
    await wait(random.between(0, 3))
    await send({ text, assistantId: undefined, conversationId, onBusy: 'QUEUE', key: undefined })
  }

  /** Forgets what was said, deletes a conversation, or all that there is. */
  async function tidy(): Promise<void> {
    const known = random.pickAny([...conversations.values()].flatMap((ids) => [...ids]))
    if (known === undefined) return
    const how = random.pick(['clear', 'clear', 'delete', 'delete', 'erase'])
    if (how === 'delete') world.deletedConversations.add(known)
    if (how === 'erase') world.erasedPeople.add(person)
    const gateway = await supervisor.current()
    mayCancelAll()
    const outcome = await call(gateway, async () => {
      const own = await gateway.conversations(person)
      if (how === 'clear') await own.clear(known)
      else if (how === 'delete') await own.delete(known)
      else await own.erase()
    })
    mayCancelAll()
    if (outcome.type === 'refused') refused(outcome.error)
    if (how === 'clear') return goOnIn(known)
    for (const ids of conversations.values()) ids.delete(known)
    if (how === 'erase') conversations.clear()
  }

  /** As a careful client: what has a key is sent again until there is an answer. */
  async function send(sending: Sending): Promise<Reply | undefined> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      if (tries > 0 && sending.key !== undefined) faults.reach('F39')
      const answer = await sendOnce(sending)
      if (answer === 'refused') return undefined
      if (answer !== 'lost') return answer
      if (sending.key === undefined) return undefined
      await wait(random.between(100, 2_000))
    }
    return undefined
  }

  async function cancel(replyId: ReplyId): Promise<void> {
    world.cancels.add(replyId)
    const gateway = await supervisor.current()
    const outcome = await call(gateway, async () => {
      const session = await gateway.replies(person)
      return session.cancelReply(replyId)
    })
    if (outcome.type === 'refused') refused(outcome.error)
  }

  async function submit(replyId: ReplyId, calls: readonly ToolCall[]): Promise<void> {
    const gateway = await supervisor.current()
    const outputs = calls.map(({ id }) => ({ toolCallId: id, output: 'found' }))
    const outcome = await call(gateway, async () => {
      const session = await gateway.replies(person)
      return session.submitToolOutputs(replyId, outputs)
    })
    if (outcome.type === 'refused') refused(outcome.error)
  }

  function refused(error: unknown): void {
    if (error instanceof GatewayError) {
      const where = unionCodes.has(error.code) ? 'union' : 'request'
      history.push({ type: 'refused', where, code: error.code })
    } else if (!(error instanceof StoreError)) {
      const what = describeError(error)
      world.problems.push(`a call of ${person} failed by a fault: ${what}`)
    }
  }

  return {
    answerTools(replyId, calls) {
      const key = JSON.stringify([replyId, calls])
      if (answered.has(key)) return
      answered.add(key)
      if (random.chance(0.7))
        void wait(random.between(50, 5_000)).then(() => submit(replyId, calls))
    },
    goOn(conversationId) {
      if (hurries >= maxHurries || !random.chance(0.15)) return
      hurries += 1
      void goOnIn(conversationId)
    },
    onReply(run) {
      hear = run
    },
    async talk(messages) {
      for (let index = 0; index < messages; index += 1) {
        // The log is trimmed once a minute: who is to meet that talks for longer.
        await wait(random.between(20, world.retentionMs < 60_000 ? 20_000 : 4_000))
        const sending = await compose()
        if (sending.key !== undefined && faults.strikes('F39', 0.5)) {
          faults.reach('F39')
          const again = random.between(1, 3)
          for (let twin = 0; twin < again; twin += 1) {
            void wait(random.pick([0, 0, 5, 3_000])).then(() => send(sending))
          }
        }
        const reply = await send(sending)
        if (reply !== undefined && sending.key !== undefined && random.chance(0.1)) {
          void sendOnce({ ...sending, text: `${sending.text} and more` })
        }
        if (isTidy && random.chance(0.25)) void wait(random.between(0, 3_000)).then(tidy)
        if (reply !== undefined && random.chance(0.15)) {
          void wait(random.between(0, 3_000)).then(() => cancel(reply.id))
        }
      }
    },
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof StoreError || (error instanceof GatewayError && error.status === 503)
}
