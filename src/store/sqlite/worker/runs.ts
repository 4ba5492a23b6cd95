import type { DatabaseSync } from 'node:sqlite'
import type { ConversationId, ReplyEvent, ReplyId, Session, SessionId } from '../../domain.ts'
import type { Claim, Collision, Fence, Orphan, UpstreamBinding } from '../ledger.ts'
import { integer, string, type Row } from './columns.ts'
import type { Transaction } from './commit.ts'
import { toPlace, type Place } from './place.ts'
import {
  selectAttachment,
  selectMessage,
  selectReply,
  toAttachment,
  toBinding,
  toExtras,
  toMessage,
  toReply,
  toSession,
  toToolCalls,
} from './rows.ts'
import { GrowingText, type RunningReplies } from './running.ts'
import type { SessionLogs } from './session-logs.ts'

/** Room for the claims of one epoch: a fence is the epoch and a count, so that it grows with both. */
const claimsPerEpoch = 2 ** 32

/** Steps 2 to 5 of the order of writes (design.md §6). Each holds only while the reply runs under the fence. */
export function createRuns(
  db: DatabaseSync,
  epoch: number,
  logs: SessionLogs,
  running: RunningReplies,
) {
  const head = db.prepare(`
    SELECT r.id, r.status FROM replies r
    JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = c.session
    WHERE s.key = ? AND c.key = ? AND r.ended_at IS NULL ORDER BY r.status = 'QUEUED', r.rank LIMIT 1`)
  const setRunning = db.prepare(`
    UPDATE replies SET status = 'RUNNING', fence = ?, step = 0, started_at = ? WHERE id = ?`)
  const setFence = db.prepare('UPDATE replies SET fence = ? WHERE id = ?')
  const lowestRank = `(SELECT min(q.rank) FROM replies q WHERE q.conversation = replies.conversation AND q.ended_at IS NULL)`
  const setQueued = db.prepare(`
    UPDATE replies SET status = 'QUEUED', fence = NULL, started_at = NULL, rank = ${lowestRank} - 1 WHERE id = ?`)
  const findRun = db.prepare(`
    SELECT r.id, r.session, r.conversation, r.step FROM replies r JOIN sessions s ON s.id = r.session
    WHERE s.key = ? AND r.key = ? AND r.status = 'RUNNING' AND r.fence = ?`)
  const findReply = db.prepare(`${selectReply} WHERE r.id = ?`)
  const findMessage = db.prepare(`${selectMessage} WHERE m.id = ?`)
  const findContext = db.prepare(`
    SELECT s.key AS session_key, s.name AS session_name, c.origin, c.account, c.strategy, c.upstream,
      c.generation, c.reset_pending, max(r.created_at, c.freed_at) AS head_since, r.step, r.chat,
      r.tool_calls, r.action_expires_at, r.interrupted
    FROM replies r JOIN conversations c ON c.id = r.conversation JOIN sessions s ON s.id = r.session
    WHERE r.id = ?`)
  const findBinding = db.prepare(`
    SELECT b.session, b.conversation, b.tainted_at, s.key AS owner
    FROM bindings b JOIN sessions s ON s.id = b.session
    WHERE b.origin = ? AND b.account = ? AND b.upstream = ?`)
  const insertBinding = db.prepare(`
    INSERT INTO bindings (origin, account, upstream, session, conversation, used_at, strategy)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET used_at = excluded.used_at`)
  const setTainted = db.prepare(`
    UPDATE bindings SET tainted_at = coalesce(tainted_at, ?) WHERE origin = ? AND account = ? AND upstream = ?`)
  const leaveTainted = db.prepare(`
    UPDATE conversations SET origin = NULL, account = NULL, strategy = NULL, upstream = NULL,
      generation = generation + 1, reset_pending = 1
    WHERE origin = ? AND account = ? AND upstream = ?`)
  const runningIn = db.prepare(`
    SELECT r.key FROM replies r JOIN conversations c ON c.id = r.conversation
    WHERE c.origin = ? AND c.account = ? AND c.upstream = ? AND r.ended_at IS NULL AND r.status <> 'QUEUED'`)
  // Bound anew within one run: the upstream conversation before this one is left for ever.
  const setUpstream = db.prepare(`
    UPDATE conversations SET generation = generation + (upstream IS NOT NULL AND upstream <> :upstream),
      origin = :origin, account = :account, strategy = :strategy, upstream = :upstream
    WHERE id = :id`)
  // A conversation that is bound after the intent was revealed by the run.
  const setRevealed = db.prepare('UPDATE replies SET step = 5 WHERE id = ? AND step = 1')
  const setUnrevealed = db.prepare('UPDATE replies SET step = 1 WHERE id = ? AND step = 5')
  const setIntent = db.prepare(`
    UPDATE replies SET step = max(step, 1), context_reset = context_reset OR ?, started_at = ?,
      run = (SELECT coalesce(max(o.run), 0) + 1 FROM replies o WHERE o.conversation = replies.conversation AND o.run IS NOT NULL),
      first_event = ?
    WHERE id = ?`)
  const setReset = db.prepare('UPDATE replies SET context_reset = 1 WHERE id = ?')
  const clearReset = db.prepare('UPDATE conversations SET reset_pending = 0 WHERE id = ?')
  const insertStarted = db.prepare(
    `INSERT INTO events (session, place, reply, type) VALUES (?, ?, ?, 'started')`,
  )
  const attachmentsByKeys = db.prepare(
    `${selectAttachment} WHERE f.key IN (SELECT value FROM json_each(?))`,
  )
  const setChat = db.prepare('UPDATE replies SET step = 2, chat = ? WHERE id = ?')
  let lastFence = epoch * claimsPerEpoch

  function nextFence(): Fence {
    lastFence += 1
    return lastFence
  }

  function found(row: Row | undefined): Row {
    if (row === undefined) throw new TypeError('a reply lacks what was stored with it')
    return row
  }

  function describe(row: number, fence: Fence): { readonly claim: Claim; readonly context: Row } {
    const context = found(findContext.get(row))
    const stored = found(findMessage.get(row))
    const message = toMessage(stored)
    const claim: Claim = {
      session: toSession(context),
      reply: toReply(found(findReply.get(row)), running),
      message,
      attachments: attachmentsOf(message.attachmentIds),
      extras: toExtras(stored),
      fence,
      upstream: toBinding(context),
      contextReset: context['reset_pending'] === 1,
      generation: integer(context['generation']),
      headSince: integer(context['head_since']),
    }
    return { claim, context }
  }

  /** Nobody is bound to it ever again, and who was goes on in a new one. */
  function collide(bound: Row, { scope, conversationId }: UpstreamBinding, at: number): Collision {
    const upstream = [scope.origin, scope.account, conversationId] as const
    const inFlight = runningIn.all(...upstream).map((row) => string(row['key']) as ReplyId)
    setTainted.run(at, ...upstream)
    leaveTainted.run(...upstream)
    const owner = string(bound['owner']) as SessionId
    return { type: 'collision', owner, isNew: bound['tainted_at'] === null, inFlight }
  }

  /** In the order in which the message names them. */
  function attachmentsOf(ids: readonly string[]): Claim['attachments'] {
    if (ids.length === 0) return []
    const stored = attachmentsByKeys.all(JSON.stringify(ids)).map(toAttachment)
    return ids.flatMap((id) => stored.filter((attachment) => attachment.id === id))
  }

  function register(row: number, claim: Claim): void {
    const { session, reply, fence } = claim
    const log = logs.open(session.id)
    log.running += 1
    logs.settle(log)
    running.set(reply.id, {
      row,
      replyId: reply.id,
      conversationId: reply.conversationId,
      log,
      fence,
      answer: new GrowingText(),
      reasoning: new GrowingText(),
      journalFrom: undefined,
    })
  }

  function unregister(replyId: ReplyId): void {
    const run = running.get(replyId)
    if (run === undefined) return
    running.delete(replyId)
    run.log.running -= 1
    logs.settle(run.log)
  }

  return {
    register,
    unregister,

    /** A reply is at the head and does not run yet. */
    isWaiting(session: Session, conversationId: ConversationId): boolean {
      return head.get(session.id, conversationId)?.['status'] === 'QUEUED'
    },

    claim(
      session: Session,
      conversationId: ConversationId,
      at: number,
      transaction: Transaction,
    ): Claim | undefined {
      const first = head.get(session.id, conversationId)
      if (first === undefined || first['status'] !== 'QUEUED') return undefined
      const row = integer(first['id'])
      const fence = nextFence()
      setRunning.run(fence, at, row)
      const { claim } = describe(row, fence)
      transaction.committed(() => register(row, claim))
      // Nobody was told that it runs: it would hold its conversation until the next start.
      transaction.undo(() => {
        setQueued.run(row)
        unregister(claim.reply.id)
      })
      return claim
    },

    requeue(session: Session, replyId: ReplyId, fence: Fence, transaction: Transaction): boolean {
      const run = findRun.get(session.id, replyId, fence)
      if (run === undefined || run['step'] !== 0) return false
      setQueued.run(integer(run['id']))
      transaction.committed(() => unregister(replyId))
      return true
    },

    bind(
      session: Session,
      replyId: ReplyId,
      fence: Fence,
      binding: UpstreamBinding,
      at: number,
    ): 'bound' | 'known' | 'lost' | Collision {
      const run = findRun.get(session.id, replyId, fence)
      if (run === undefined) return 'lost'
      const { scope, strategy, conversationId } = binding
      const { origin, account } = scope
      const bound = findBinding.get(origin, account, conversationId)
      if (
        bound !== undefined &&
        (bound['tainted_at'] !== null ||
          bound['session'] !== run['session'] ||
          bound['conversation'] !== run['conversation'])
      ) {
        return collide(bound, binding, at)
      }
      const conversation = integer(run['conversation'])
      insertBinding.run(
        origin,
        account,
        conversationId,
        integer(run['session']),
        conversation,
        at,
        strategy,
      )
      setUpstream.run({ id: conversation, origin, account, strategy, upstream: conversationId })
      setRevealed.run(integer(run['id']))
      return bound === undefined ? 'bound' : 'known'
    },

    recordIntent(
      session: Session,
      replyId: ReplyId,
      fence: Fence,
      options: { readonly contextReset: boolean; readonly at: number },
      transaction: Transaction,
    ): boolean {
      const run = findRun.get(session.id, replyId, fence)
      if (run === undefined) return false
      const row = integer(run['id'])
      if (options.contextReset) clearReset.run(integer(run['conversation']))
      if (run['step'] !== 0) {
        setUnrevealed.run(row)
        if (options.contextReset) setReset.run(row)
        return true
      }
      const log = logs.open(session.id)
      const seq = log.nextSeq()
      const place: Place = toPlace({ epoch, seq })
      setIntent.run(options.contextReset ? 1 : 0, options.at, place, row)
      insertStarted.run(integer(run['session']), place, row)
      const { conversationId } = toReply(found(findReply.get(row)), running)
      const event: ReplyEvent = { epoch, seq, replyId, conversationId, type: 'started' }
      transaction.committed(() => {
        const held = log.hold(event)
        transaction.synced(() => log.release(held))
      })
      return true
    },

    recordChat(session: Session, replyId: ReplyId, fence: Fence, chatId: string): boolean {
      const run = findRun.get(session.id, replyId, fence)
      if (run === undefined) return false
      setChat.run(chatId, integer(run['id']))
      return true
    },

    /** Takes every reply that still runs under a fence of an earlier epoch. */
    orphans(transaction: Transaction): readonly Orphan[] {
      const orphans: Orphan[] = []
      for (const run of running.values()) {
        if (run.fence > epoch * claimsPerEpoch) continue
        const fence = nextFence()
        setFence.run(fence, run.row)
        transaction.committed(() => (run.fence = fence))
        const { claim, context } = describe(run.row, fence)
        const isInterrupted = context['interrupted'] === 1
        orphans.push({ ...claim, isInterrupted, progress: toProgress(context) })
      }
      return orphans
    },
  }
}

export type Runs = ReturnType<typeof createRuns>

function toProgress(row: Row): Orphan['progress'] {
  switch (row['step']) {
    case 0:
      return { step: 'claimed' }
    case 1:
      return { step: 'intent' }
    case 5:
      return { step: 'revealed' }
    case 3:
      return {
        step: 'action',
        chatId: string(row['chat']),
        toolCalls: toToolCalls(row),
        expiresAt: integer(row['action_expires_at']),
      }
    case 4:
      return { step: 'outputs', chatId: string(row['chat']) }
    default:
      return { step: 'chat', chatId: string(row['chat']) }
  }
}
