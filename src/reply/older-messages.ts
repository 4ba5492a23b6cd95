import type { ConversationId, Session } from '../domain.ts'
import type { Breach } from '../isolation/breaches.ts'
import { NotFoundError, UnavailableError } from '../errors.ts'
import type { Clock } from '../lib/clock.ts'
import type { AnswerOrigin, SessionStore, UpstreamBinding } from '../store/ledger.ts'
import type { OlderMessage } from '../strategy/records.ts'
import { RunFailedError } from '../strategy/run-failed-error.ts'
import { type AssistantAccess, isSameScope, recordsFor } from './assistant-access.ts'
import type { UpstreamMessage } from './session-conversations.ts'

interface OlderPage {
  readonly rows: readonly UpstreamMessage[]
  readonly hasMore: boolean
}

/** Where to read on upstream, newest first. */
interface Start {
  /** Upstream conversations from here on, newest first. */
  readonly bindings: readonly UpstreamBinding[]
  /** The upstream message before which the first of them is read; undefined: from its end. */
  readonly before: string | undefined
  /** Whether a row is one that we hold ourselves. */
  isHeld(row: OlderMessage): boolean
}

/** Of one call (see {@link AssistantRecords.listOlder}). */
const maxRows = 50
/** Upstream calls for one page. */
const maxCalls = 10
/** Of our own messages, oldest first, among which the first answer is looked for. */
const heldSample = 20

/** Reads what only the upstream still has of a conversation, newest first. */
export function createOlderMessages(
  options: AssistantAccess & {
    readonly clock: Clock
    readonly onBreach: (breach: Breach) => void
    /** Aborts when the engine is closed. */
    readonly closed: AbortSignal
  },
): (
  session: Session,
  store: SessionStore,
  id: ConversationId,
  request: { readonly before: string | undefined; readonly limit: number },
) => Promise<OlderPage> {
  const { clock, onBreach, closed } = options
  return async (session, store, id, { before, limit }) => {
    const [conversation] = await store.conversations([id])
    if (conversation === undefined) throw new NotFoundError('There is no such conversation.')
    const { assistantId } = conversation
    const bindings = (await store.upstreamConversations(id)).toReversed()
    const start =
      before === undefined ? await findEdge(store, id, bindings) : findPlace(bindings, before)
    const own = new Set(bindings.map((binding) => binding.conversationId))
    const rows: UpstreamMessage[] = []
    let calls = 0

    for (const [index, binding] of start.bindings.entries()) {
      const records = recordsFor(options, assistantId, binding)
      if (records === undefined) continue
      const { conversationId } = binding
      let from = index === 0 ? start.before : undefined
      for (;;) {
        if (rows.length > limit) return { rows: rows.slice(0, limit), hasMore: true }
        if (calls === maxCalls) return { rows, hasMore: true }
        calls += 1
        // One more than was asked for, to know whether there is more.
        const wanted = Math.min(limit + 1 - rows.length, maxRows)
        const page = { conversationId, before: from, limit: wanted }
        const found = await unlessGone(() => records.listOlder(session, page, closed))
        const isOwn = (row: OlderMessage) => own.has(row.conversationId)
        if (!found.every(isOwn)) {
          const way = 'list-of-another-conversation'
          const target = { assistantId, strategy: binding.strategy }
          const sessions = [session.id]
          onBreach({ target, isNew: true, at: clock.now(), way, logIds: [], sessions })
          throw new UnavailableError('The assistant does not tell its older messages now.')
        }
        const fresh = found.filter(
          (row) => row.conversationId === conversationId && !start.isHeld(row),
        )
        rows.push(...fresh.map((row) => toMessage(conversationId, row)))
        from = found.at(-1)?.upstreamMessageId
        if (found.length < wanted) break
      }
    }
    return { rows: rows.slice(0, limit), hasMore: rows.length > limit }
  }
}

/** Only what is bound to the conversation is ever asked for. */
function findPlace(bindings: readonly UpstreamBinding[], place: string): Start {
  const [kind, conversationId, before, ...more] = place.split('.')
  const index = bindings.findIndex((binding) => binding.conversationId === conversationId)
  if (kind !== 'u' || index < 0 || !before || more.length > 0) {
    throw new NotFoundError('There is no such message.')
  }
  return { bindings: bindings.slice(index), before, isHeld: () => false }
}

/**
 * Where our own record begins. Retention takes a conversation's oldest messages first, so what lies upstream before our
 * first answer is what we no longer hold, except the messages that we hold before it. Without an answer whose place
 * upstream is known, time must tell.
 */
async function findEdge(
  store: SessionStore,
  id: ConversationId,
  bindings: readonly UpstreamBinding[],
): Promise<Start> {
  const bounds = { after: undefined, before: undefined }
  const page = await store.messagePage(id, { direction: 'forward', limit: heldSample, ...bounds })
  const held = page?.rows ?? []
  for (const [index, message] of held.entries()) {
    if (message.role !== 'ASSISTANT') continue
    const origin = await store.answerOrigin(message.id)
    const at = origin === undefined ? -1 : findBinding(bindings, origin)
    if (origin === undefined || at < 0) continue
    const texts = held.slice(0, index).map(({ text }) => text)
    return {
      bindings: bindings.slice(at),
      before: origin.upstreamMessageId,
      isHeld({ role, text }) {
        const known = role === 'USER' ? texts.indexOf(text) : -1
        if (known < 0) return false
        texts.splice(known, 1)
        return true
      },
    }
  }
  const [oldest] = held
  return {
    bindings,
    before: undefined,
    isHeld: ({ createdAt }) =>
      oldest !== undefined && (createdAt === null || createdAt >= oldest.createdAt),
  }
}

function findBinding(
  bindings: readonly UpstreamBinding[],
  { upstream: { scope, conversationId } }: AnswerOrigin,
): number {
  return bindings.findIndex(
    (one) => one.conversationId === conversationId && isSameScope(one.scope, scope),
  )
}

function toMessage(conversationId: string, row: OlderMessage): UpstreamMessage {
  const { upstreamMessageId, role, text, createdAt } = row
  return {
    place: `u.${conversationId}.${upstreamMessageId}`,
    role,
    text: text.toWellFormed(),
    createdAt,
  }
}

/** A conversation that the upstream has forgotten has no messages. */
async function unlessGone(
  list: () => Promise<readonly OlderMessage[]>,
): Promise<readonly OlderMessage[]> {
  try {
    return await list()
  } catch (error) {
    if (!(error instanceof RunFailedError)) throw error
    if (error.conversationGone) return []
    throw new UnavailableError('The assistant does not tell its older messages now.', {
      cause: error,
    })
  }
}
