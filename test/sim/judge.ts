import type { DeltaKind, Reply, ReplyEvent, ReplyId } from '../../src/domain.ts'
import { check } from '../kit/history/checker.ts'
import { followReply } from '../kit/history/follow-reply.ts'
import type { SeenEvent, Step } from '../kit/history/history.ts'
import { cursorAt, toSeen } from '../kit/history/seen.ts'
import { call } from './calls.ts'
import { isExplained } from './causes.ts'
import { tellOwed } from './owed.ts'
import type { GatewayProcess } from './gateway.ts'
import type { Subscriber } from './reader.ts'
import { people as everybody, sessionIdOf } from './people.ts'
import { markerForm, markerOf } from './upstream/markers.ts'
import type { Chat } from './upstream/world.ts'
import type { World } from './world.ts'

/** Writes down the whole truth with fresh eyes when all is over, and has it checked. */
export async function judge(
  world: World,
  gateway: GatewayProcess,
  people: readonly string[],
  subscribers: readonly Subscriber[],
): Promise<readonly string[]> {
  const { history, problems } = world
  problems.push(...gateway.isolation.findUnstored())
  for (const person of [...everybody, 'nobody']) {
    history.push({ type: 'word', as: person, word: markerOf(person) })
  }
  for (const person of people) {
    tellAcceptances(world, person)
    for (const reply of await repliesOf(world, gateway, person)) {
      tellReply(world, person, reply, await readLog(world, gateway, person, reply))
    }
  }
  for (const { place } of subscribers) if (place) history.push({ type: 'rest', ...place })
  history.push(...tellServed(world), ...tellOwed(world))
  return [...problems, ...check(history, { wordForm: markerForm })]
}

async function repliesOf(
  world: World,
  gateway: GatewayProcess,
  person: string,
): Promise<readonly Reply[]> {
  const ids = [...world.disk.state.replies.values()]
    .filter(({ sessionId }) => sessionId === sessionIdOf(person))
    .map(({ id }) => id)
  const outcome = await call(gateway, async () => {
    const session = await gateway.session(person)
    return gateway.ledger.session(session).replies(ids)
  })
  if (outcome.type !== 'answered') throw new Error('the replies cannot be read')
  return outcome.value.filter((reply) => reply !== undefined)
}

/** A message whose acceptance nobody heard of was accepted all the same; what was deleted is gone. */
function tellAcceptances(world: World, person: string): void {
  const { history, disk, problems } = world
  const told = new Set(
    history.flatMap((step) => (step.type === 'send' && step.accepted?.replyId) || []),
  )
  for (const accepted of disk.state.everAccepted) {
    const { sessionId, replyId, messageId, conversationId } = accepted
    if (sessionId !== sessionIdOf(person)) continue
    if (!told.has(replyId)) {
      history.push({ type: 'send', as: person, accepted: { replyId, messageId, conversationId } })
    }
    if (disk.state.replies.has(replyId)) continue
    const isAsked = world.deletedConversations.has(conversationId) || world.erasedPeople.has(person)
    const corrected = [...world.upstream.chats.values()].some(
      (chat) => chat.replyId === replyId && chat.isAltered,
    )
    if (isAsked) history.push({ type: 'deleted', replyId, ...(corrected && { corrected }) })
    else problems.push(`${replyId} is gone, and nobody asked for it`)
  }
}

async function readLog(
  world: World,
  gateway: GatewayProcess,
  person: string,
  { id: replyId }: Reply,
): Promise<readonly SeenEvent[]> {
  const events: SeenEvent[] = []
  const log = world.disk.state.logs.get(sessionIdOf(person))
  if (log?.gone.some((event) => event.replyId === replyId) === true) {
    return readArchive(world, gateway, person, replyId)
  }
  const take = (event: ReplyEvent, cursor: string) => void events.push(toSeen(event, cursor))
  await call(gateway, async () =>
    followReply(await gateway.replies(person), replyId, take, new AbortController().signal),
  )
  return events
}

/** What readers could see before it was trimmed: its events, and its text behind the first of them. */
async function readArchive(
  { disk }: World,
  gateway: GatewayProcess,
  person: string,
  replyId: ReplyId,
): Promise<readonly SeenEvent[]> {
  const end = await call(gateway, async () => (await gateway.replies(person)).cursor())
  if (end.type !== 'answered') return []
  const [tag] = end.value.split('.')
  const log = disk.state.logs.get(sessionIdOf(person))
  const text = disk.state.replies.get(replyId)?.text
  return [...(log?.gone ?? []), ...(log?.events ?? [])]
    .filter((event) => event.replyId === replyId)
    .flatMap((event): readonly SeenEvent[] => {
      const told = toSeen(event, cursorAt({ ...event, texts: [] }, tag))
      const revision = text?.revisions.at(-1)?.name
      if (event.type !== 'started' || text === undefined || revision === undefined) return [told]
      const { answer, reasoning } = text
      const delta = (kind: DeltaKind, read: string): SeenEvent => {
        const lengths = { answer: kind === 'ANSWER' ? read.length : 0, reasoning: reasoning.length }
        return {
          cursor: cursorAt({ ...event, texts: [{ replyId, revision, ...lengths }] }, tag),
          replyId,
          body: { type: 'delta', offset: 0, kind, text: read },
        }
      }
      const texts = [delta('REASONING', reasoning), delta('ANSWER', answer)]
      return [told, ...texts.filter(({ body }) => 'text' in body && body.text !== '')]
    })
}

function tellReply(world: World, person: string, reply: Reply, events: readonly SeenEvent[]): void {
  const { history, upstream, disk } = world
  const { id: replyId, messageId, status, text, reasoning } = reply
  const chats = [...upstream.chats.values()].filter((chat) => chat.replyId === replyId)
  const corrected = chats.some(({ isAltered }) => isAltered)
  history.push(
    {
      type: 'truth',
      as: person,
      replyId,
      events,
      snapshot: { status, text, reasoning },
      order: disk.state.messages.get(messageId)?.order ?? 0,
      isUrgent: disk.state.everAccepted.some((one) => one.replyId === replyId && one.isUrgent),
      isCaused: isCaused(world, reply, chats),
      ...(corrected && { corrected }),
    },
    { type: 'chats', replyId, count: chats.length, text: chats[0]?.finalText ?? null },
    { type: 'word', as: person, word: markerOf(person), replyId },
  )
}

/** Whether a person or a fault has brought about a failure or a cancel. */
function isCaused({ faults, cancels }: World, reply: Reply, chats: readonly Chat[]): boolean {
  const { id, failure } = reply
  if (failure) return faults.reached.size > 0 && isExplained(failure.code, faults.reached)
  return cancels.has(id) || chats.some((chat) => chat.wasCancelled || chat.status === 'canceled')
}

/** Of two whom one upstream conversation has answered, the later one was told what the earlier one said. */
function tellServed({ upstream, disk }: World): readonly Step[] {
  const answered = new Map<string, Set<string>>()
  for (const { replyId, conversation, principal } of upstream.chats.values()) {
    const isAnswered = [...disk.state.replies.values()].some(
      ({ id, told }) => id === replyId && told.status === 'COMPLETED',
    )
    if (!isAnswered) continue
    const people = answered.get(conversation.id) ?? new Set()
    answered.set(conversation.id, people.add(principal))
  }
  return [...answered].map(([id, people]) => ({
    type: 'served',
    upstream: id,
    sessions: [...people],
  }))
}
