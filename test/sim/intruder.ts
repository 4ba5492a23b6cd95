import type { ConversationId, ReplyId } from '../../src/domain.ts'
import { GatewayError } from '../../src/errors.ts'
import type { SessionReplies } from '../../src/session/replies.ts'
import { call } from './calls.ts'
import { sessionIdOf } from './people.ts'
import type { Supervisor } from './supervisor.ts'
import type { World } from './world.ts'

/** Something of somebody else. */
interface Foreign {
  readonly replyId: ReplyId
  readonly conversationId: ConversationId
  readonly cursor: string
}

type Attempt = (replies: SessionReplies, foreign: Foreign) => Promise<unknown>

const nothing = {
  replyId: undefined,
  conversationId: undefined,
  after: undefined,
  lastEventId: undefined,
}

const attempts: Readonly<Record<string, Attempt>> = {
  'subscribe to a reply': (replies, { replyId }) => replies.subscribe({ ...nothing, replyId }),
  'subscribe to a conversation': (replies, { conversationId }) =>
    replies.subscribe({ ...nothing, conversationId }),
  'resume from a cursor': (replies, { cursor }) =>
    replies.subscribe({ ...nothing, lastEventId: cursor }),
  'cancel a reply': (replies, { replyId }) => replies.cancelReply(replyId),
  'send into a conversation': (replies, { conversationId }) =>
    replies.sendMessage({
      text: 'let me in',
      assistantId: undefined,
      conversationId,
      attachmentIds: [],
      imageUrls: [],
      extras: { parameters: {}, metadata: {} },
      onBusy: 'QUEUE',
      idempotency: undefined,
    }),
}

/** Tries the ids and cursors of others under a person's own credentials (T1, T2): none may be known. */
export async function intrude(world: World, supervisor: Supervisor, person: string): Promise<void> {
  const { clock } = world.timeline
  const random = world.random.fork(`intruder ${person}`)
  const forever = new AbortController().signal
  for (let tries = 0; tries < 4; tries += 1) {
    await clock.sleep(random.between(2_000, 14_000), forever)
    const foreign = findForeign(world, person, (from) => random.pickAny(from))
    const attempt = random.pickAny(Object.entries(attempts))
    if (foreign === undefined || attempt === undefined) continue
    const [name, run] = attempt
    const gateway = await supervisor.current()
    const outcome = await call(gateway, async () => run(await gateway.replies(person), foreign))
    if (outcome.type === 'answered') {
      world.problems.push(`isolation: ${person} could ${name} of another`)
    }
    if (outcome.type !== 'refused' || !(outcome.error instanceof GatewayError)) continue
    const { code } = outcome.error
    if (code === 'NOT_FOUND' || code === 'BAD_USER_INPUT' || outcome.error.status === 503) continue
    world.problems.push(`isolation: ${person} was told ${code} when it tried to ${name} of another`)
  }
}

function findForeign(
  { disk, history }: World,
  person: string,
  pick: <T>(from: readonly T[]) => T | undefined,
): Foreign | undefined {
  const mine = sessionIdOf(person)
  const row = pick([...disk.state.replies.values()].filter(({ sessionId }) => sessionId !== mine))
  if (row === undefined) return undefined
  const cursors = history.flatMap((step) =>
    step.type === 'seen' && step.event.replyId === row.id ? [step.event.cursor] : [],
  )
  const { id: replyId, conversationId } = row
  return { replyId, conversationId, cursor: pick(cursors) ?? 'AAAAAAAAAA.1.cAAAA' }
}
