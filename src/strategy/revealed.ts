import type { CozeClient, CozeTarget } from '../coze/client.ts'
import { type CozeMessage, listMessages } from '../coze/conversations.ts'
import { CozeError } from '../coze/errors.ts'
import { type TokenResolver, withToken } from '../coze/token.ts'
import type { RevealedRows } from '../isolation/breaches.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import { historyKey, replyKey } from '../domain/keying.ts'
import type { PlatformTraits } from './platform-traits.ts'
import { RunFailedError, asRunFailure, toRunFailure } from './run-failure.ts'
import type { RunReference } from './strategy.ts'

export interface RevealedOptions {
  readonly client: CozeClient
  readonly tokens: TokenResolver
  readonly clock: Clock
  readonly traits: PlatformTraits
}

/** Rows of one page, as many as the platforms give. */
const pageLength = 50
/** A conversation that a run has just revealed holds one page at most of what that run brought. */
const maxPages = 4
/** For all pages, in ms: the first text of the reply waits for them. */
const listMs = 10_000

/**
 * The messages of a conversation that a run has just revealed, newest first.
 *
 * @param seeds The texts that the run brought beside its question.
 * @param unknown What it means that the platform does not know the conversation. `vanished`: it was there when the run began,
 *   and has gone since with all that could be known of it, so that the run fails.
 * @throws {@link RunFailedError} when they could not be read
 */
export async function listRevealed(
  { client, tokens, clock, traits }: RevealedOptions,
  { session, upstreamConversationId: conversationId, replyId }: RunReference,
  seeds: ReadonlySet<string>,
  unknown: 'not-listed' | 'not-readable' | 'vanished',
  signal: AbortSignal,
): Promise<RevealedRows> {
  const isOurs = ({ text, metaData }: CozeMessage) =>
    metaData[replyKey] === replyId || metaData[historyKey] === replyId || seeds.has(text)
  const rows = new Map<string, CozeMessage>()
  using deadline = createDeadline(clock, listMs, tooSlow)
  const lifetime = AbortSignal.any([signal, deadline.signal])
  try {
    for (let page = 0, olderThan: string | undefined; page < maxPages; page += 1) {
      const older = { by: traits.olderMessages, than: olderThan }
      const request = { conversationId, older, limit: pageLength }
      const list = async (target: CozeTarget) => listMessages(client, target, request, lifetime)
      const found = (await withToken(tokens, session.name, list, lifetime)) ?? []
      const before = rows.size
      for (const row of found) rows.set(row.id, row)
      olderThan = found.at(-1)?.id
      // A platform that pages the other way repeats itself.
      if (found.length < pageLength || rows.size === before) break
    }
  } catch (error) {
    if (!(error instanceof CozeError)) throw error
    if (error.kind === 'conversation-gone') {
      if (unknown === 'vanished') throw vanished(error)
      return unknown
    }
    // The call itself is not taken, and will not be later either.
    if (error.kind === 'refused' || error.kind === 'not-supported') return 'not-listed'
    throw asRunFailure(error)
  }
  return [...rows.values()].map((row) => ({
    chatId: row.chatId,
    createdAt: row.createdAt,
    isOurs: isOurs(row),
  }))
}

/** The run was accepted, whatever the list says: it is not sent again. */
function vanished(cause: CozeError): RunFailedError {
  const { failure, upstreamCode, logId, hint, upstream } = toRunFailure(cause, 'wire')
  const details = { upstreamCode, logId, hint, upstream, cause }
  return new RunFailedError(failure, { outcome: 'unseen', conversationGone: true, ...details })
}

function tooSlow(): CozeError {
  return new CozeError('timeout', 'the messages of a conversation were not listed in time', {
    accepted: 'yes',
  })
}
