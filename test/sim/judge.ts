import { type DeltaKind, type Reply, type ReplyId, isTerminal } from '../../src/domain.ts'
import type { LogItem } from '../../src/store/log.ts'
import { check } from '../kit/history/checker.ts'
import { parseCursor, type SeenEvent } from '../kit/history/history.ts'
import { call } from './calls.ts'
import { isExplained } from './causes.ts'
import { findForgotten } from './owed.ts'
import type { GatewayProcess } from './gateway.ts'
import type { Subscriber } from './reader.ts'
import { toSeen } from './seen.ts'
import { people as everybody, sessionIdOf } from './people.ts'
import type { State } from './store/state.ts'
import { markerOf, markersIn } from './upstream/markers.ts'
import type { Chat } from './upstream/world.ts'
import type { World } from './world.ts'

const allMarkers = new Set([...everybody, 'nobody'].map(markerOf))

/** Reads the whole truth with fresh eyes when all is over, and says what is wrong. */
export async function judge(
  world: World,
  gateway: GatewayProcess,
  people: readonly string[],
  subscribers: readonly Subscriber[],
): Promise<readonly string[]> {
  const { history, problems } = world
  problems.push(...gateway.isolation.findUnstored(), ...findMet(world), ...findForgotten(world))
  const logs = new Map<string, readonly SeenEvent[]>()
  for (const person of people) {
    const all: SeenEvent[] = []
    tellAcceptances(world, person)
    for (const reply of await repliesOf(world, gateway, person)) {
      const events = await readLog(world, gateway, person, reply)
      all.push(...events)
      judgeReply(world, person, reply, events)
    }
    const inOrder = all.toSorted((a, b) => seqOf(a.cursor) - seqOf(b.cursor))
    logs.set(person, inOrder)
    const replies = await repliesOf(world, gateway, person)
    problems.push(
      ...findOverlaps(inOrder, replies),
      ...findOvertaken(world, inOrder, replies),
      ...findOvertaking(world, inOrder, replies),
    )
  }
  for (const subscriber of subscribers) {
    problems.push(...findLag(world, subscriber, logs.get(subscriber.person) ?? []))
    for (const { cursor, body } of subscriber.seen) {
      if (body.type === 'delta' || body.type === 'completed') {
        problems.push(
          ...findStrangers(subscriber.person, body.text, `${subscriber.name} ${cursor}`),
        )
      }
    }
  }
  return [...problems, ...check(history)]
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
  await call(gateway, async () => {
    const replies = await gateway.replies(person)
    const subscription = await replies.subscribe({
      replyId,
      conversationId: undefined,
      after: undefined,
      lastEventId: undefined,
    })
    const take = (batch: readonly LogItem[]) => {
      for (const item of batch) events.push(toSeen(item.event, subscription.cursor(item)))
      return undefined
    }
    await subscription.follow(take, new AbortController().signal)
  })
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
      const cursor = `${tag}.${event.seq}.${event.check}`
      const told = toSeen(event, cursor)
      const revision = text?.revisions.at(-1)?.name
      if (event.type !== 'started' || text === undefined || revision === undefined) return [told]
      const { answer, reasoning } = text
      const place = (read: string) =>
        `${cursor}~${replyId}.${revision}.${read.length}.${reasoning.length}`
      const delta = (kind: DeltaKind, read: string): SeenEvent => ({
        cursor: place(kind === 'ANSWER' ? read : ''),
        replyId,
        body: { type: 'delta', offset: 0, kind, text: read },
      })
      const texts = [delta('REASONING', reasoning), delta('ANSWER', answer)]
      return [told, ...texts.filter(({ body }) => 'text' in body && body.text !== '')]
    })
}

function judgeReply(
  world: World,
  person: string,
  reply: Reply,
  events: readonly SeenEvent[],
): void {
  const { history, problems, upstream, faults } = world
  const { id: replyId, status, text, reasoning } = reply
  if (!isTerminal(status)) problems.push(`${replyId} is still ${status} at the deadline`)
  const chats = [...upstream.chats.values()].filter((chat) => chat.replyId === replyId)
  const corrected = chats.some(({ isAltered }) => isAltered)
  history.push({
    type: 'truth',
    as: person,
    replyId,
    events,
    snapshot: { status, text, reasoning },
    ...(corrected && { corrected }),
  })
  history.push({ type: 'chats', replyId, count: chats.length })
  problems.push(...findStrangers(person, text, replyId))
  const code = reply.failure?.code
  if (code !== undefined && !isExplained(code, faults.reached)) {
    problems.push(`${replyId} failed as ${code}, and no fault explains it`)
  }
  const [chat] = chats
  if (status === 'COMPLETED') {
    if (chat === undefined) problems.push(`${replyId} is completed, and no chat was`)
    else if (chat.finalText !== text) {
      problems.push(`${replyId} has another text than the upstream gave`)
    }
    if (!markersIn(text).includes(markerOf(person))) {
      problems.push(`${replyId} lacks the marker of ${person}: the control fails`)
    }
  }
  const wasAsked =
    world.cancels.has(replyId) ||
    chats.some((each) => each.wasCancelled || each.status === 'canceled')
  if (status === 'CANCELLED' && !wasAsked) {
    problems.push(`${replyId} is cancelled, and nobody asked for it`)
  }
  if (faults.reached.size === 0 && status === 'FAILED') {
    problems.push(`${replyId} failed as ${reply.failure?.code} though nothing went wrong`)
  }
}

/** Of two whom one upstream conversation has answered, the later one was told what the earlier one said. */
function findMet({ upstream, disk }: World): readonly string[] {
  const answered = new Map<Chat['conversation'], Set<string>>()
  for (const { id, told } of disk.state.replies.values()) {
    if (told.status !== 'COMPLETED') continue
    for (const { replyId, conversation, principal } of upstream.chats.values()) {
      if (replyId !== id) continue
      const people = answered.get(conversation) ?? new Set()
      answered.set(conversation, people.add(principal))
    }
  }
  return [...answered].flatMap(([{ id }, people]) =>
    people.size > 1 ? `isolation: ${[...people].join(' and ')} were both answered in ${id}` : [],
  )
}

/** Texts of one session bear its own marker and no other's. */
function findStrangers(person: string, text: string, where: string): readonly string[] {
  const own = markerOf(person)
  // What is no marker was made of one by a stream that mixes up its pieces.
  return markersIn(text)
    .filter((marker) => marker !== own && allMarkers.has(marker))
    .map((marker) => `isolation: ${where} of ${person} bears ${marker}`)
}

/** One running reply per conversation: none starts before the one before has ended. */
function findOverlaps(log: readonly SeenEvent[], replies: readonly Reply[]): readonly string[] {
  const problems: string[] = []
  const running = new Map<string, string>()
  for (const { replyId, body } of log) {
    const place = replies.find(({ id }) => id === replyId)?.conversationId
    if (place === undefined) continue
    const other = running.get(place)
    if (body.type === 'started') {
      if (other !== undefined) problems.push(`${replyId} started while ${other} ran in ${place}`)
      running.set(place, replyId)
    } else if (isEnd(body) && other === replyId) running.delete(place)
  }
  return problems
}

/** What waited or ran when a message interrupted it never starts, or goes on, after that has started. */
function findOvertaken(
  { disk }: World,
  log: readonly SeenEvent[],
  replies: readonly Reply[],
): readonly string[] {
  const interrupting = urgentOf(disk.state)
  const orderOf = ({ messageId }: Reply) => disk.state.messages.get(messageId)?.order ?? 0
  return replies
    .filter(({ id }) => interrupting.has(id))
    .flatMap((urgent) => {
      const start = log.findIndex(
        ({ replyId, body }) => replyId === urgent.id && body.type === 'started',
      )
      const later = new Set(start < 0 ? [] : log.slice(start).map(({ replyId }) => replyId))
      return replies
        .filter((reply) => reply.conversationId === urgent.conversationId && reply.id !== urgent.id)
        .filter((reply) => orderOf(reply) < orderOf(urgent) && later.has(reply.id))
        .map((reply) => `${reply.id} goes on after ${urgent.id} has interrupted it`)
    })
}

/** Messages of one conversation are answered in their order, but for those that interrupt. */
function findOvertaking(
  { disk }: World,
  log: readonly SeenEvent[],
  replies: readonly Reply[],
): readonly string[] {
  const interrupting = urgentOf(disk.state)
  const starts = log.flatMap(({ replyId, body }) =>
    body.type === 'started' ? replies.filter(({ id }) => id === replyId) : [],
  )
  const orderOf = ({ messageId }: Reply) => disk.state.messages.get(messageId)?.order ?? 0
  return starts.flatMap((late, at) =>
    starts
      .slice(0, at)
      .filter(
        ({ id, conversationId }) => conversationId === late.conversationId && !interrupting.has(id),
      )
      .filter((early) => orderOf(early) > orderOf(late))
      .map((early) => `${early.id} overtakes ${late.id}`),
  )
}

function urgentOf({ everAccepted }: State): ReadonlySet<ReplyId> {
  return new Set(everAccepted.flatMap(({ isUrgent, replyId }) => (isUrgent ? replyId : [])))
}

function isEnd({ type }: SeenEvent['body']): boolean {
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}

/** A reader that is connected and reads has read all events: the checker looks at the text before them. */
function findLag(
  world: World,
  subscriber: Subscriber,
  log: readonly SeenEvent[],
): readonly string[] {
  const { place, wanted, name } = subscriber
  if (place === undefined) return []
  const due = log.findLast(
    ({ body, cursor, replyId }) =>
      body.type !== 'delta' &&
      seqOf(cursor) > seqOf(place.start) &&
      (wanted.replyId === undefined || wanted.replyId === replyId) &&
      (wanted.conversationId === undefined ||
        world.disk.state.replies.get(idOf(world, replyId))?.conversationId ===
          wanted.conversationId),
  )
  if (due === undefined || seqOf(due.cursor) <= seqOf(place.last ?? place.start)) return []
  return [`${name} stays at ${place.last ?? place.start}, the log is at ${due.cursor}`]
}

function idOf(world: World, replyId: string) {
  for (const id of world.disk.state.replies.keys()) if (id === replyId) return id
  throw new TypeError('a reply that was told of is not there')
}

function seqOf(cursor: string): number {
  return parseCursor(cursor)?.seq ?? Number.NaN
}
