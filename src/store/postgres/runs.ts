import type { ReplyId, SessionId } from '../../domain.ts'
import { after, type RunStep } from '../../domain/reply-states.ts'
import type { UpstreamBinding } from '../../domain/upstream.ts'
import { integer, jsonOrNull, type StoredRow, string, rowOf } from '../engine/columns.ts'
import { conversationIdOf, replyIdOf, statusOf, toToolCalls } from '../engine/records.ts'
import type { EngineCalls } from '../main-half/calls.ts'
import type { TextWrite } from '../main-half/stored.ts'
import { bind, findBound } from './bindings.ts'
import type { AsyncCalls } from './calls.ts'
import { replyOf, replyTexts, selectReplyRecord } from './rows.ts'
import type { EventOwner, SessionWrite } from './session-write.ts'
import type { CallContext, Sessions } from './sessions.ts'
import { type Columns, row, type Sql, sql } from './sql.ts'
import { findPlaces, isBehind, type NewTexts, writeTexts } from './texts.ts'

export type Runs = Pick<
  EngineCalls,
  'requeue' | 'intend' | 'bind' | 'requireAction' | 'takeToolOutputs'
> & {
  /** The text of one running reply. */
  writeText(args: {
    readonly sessionId: SessionId
    readonly text: TextWrite
  }): 'written' | 'lost' | 'behind'
}

interface RunRef {
  readonly sessionId: SessionId
  readonly replyId: ReplyId
  readonly fence: string
}

interface Run extends EventOwner {
  readonly conversation: number
  readonly step: RunStep
  readonly isRunning: boolean
  readonly isInterrupted: boolean
  /** Where its texts are written. */
  readonly places: StoredRow
}

/** The run of a reply that holds a fence. */
function findRun({ replyId, fence }: RunRef, text: NewTexts = {}): Sql {
  return row(sql`
    SELECT r.id AS row, r.key AS reply, r.conversation AS conversation_row, c.key AS conversation, r.step, r.status,
      r.interrupted, ${findPlaces(text)}
    FROM replies r JOIN conversations c ON c.session = r.session AND c.id = r.conversation
    WHERE r.session = s.id AND r.key = ${replyId} AND r.fence = ${fence}`)
}

function toRun(found: StoredRow): Run {
  return {
    reply: integer(found['row']),
    replyId: replyIdOf(found),
    conversation: integer(found['conversation_row']),
    conversationId: conversationIdOf(found),
    step: string(found['step']) as RunStep,
    isRunning: found['status'] === 'RUNNING',
    isInterrupted: found['interrupted'] === 1,
    places: found,
  }
}

/** The columns of a reply that say what is new of its revisions and of its chat. */
function newsOf({ revisions, chatId }: TextWrite): Columns {
  return {
    ...(revisions !== undefined && { revisions: JSON.stringify(revisions) }),
    ...(chatId !== undefined && { chat: chatId }),
  }
}

/** The step that a run comes to once its chat is known. */
function stepWithChat(step: RunStep): RunStep {
  return step === 'intended' || step === 'revealed' || step === 'answered' ? 'streaming' : step
}

export function createRuns(sessions: Sessions): AsyncCalls<Runs> {
  /** Decides for a run that holds its lease, RUNNING or, if it may be, waiting for tool outputs. */
  function change<T>(
    ref: RunRef,
    find: Readonly<Record<string, Sql>>,
    context: CallContext,
    lost: T,
    decide: (run: Run, found: StoredRow, write: SessionWrite) => T,
    text?: TextWrite,
  ): Promise<T> {
    return sessions.change(
      ref.sessionId,
      { ...find, run: findRun(ref, text) },
      (found, write) => {
        const run = rowOf(found['run'])
        return run === null ? lost : decide(toRun(run), found, write)
      },
      context,
    )
  }

  function bindRun(
    run: Run,
    {
      found,
      write,
      binding,
      contextReset,
      at,
    }: {
      readonly found: StoredRow
      readonly write: SessionWrite
      readonly binding: UpstreamBinding | undefined
      readonly contextReset: boolean
      readonly at: number
    },
  ) {
    const bound = binding && bind(write, run.conversation, binding, rowOf(found['bound']), at)
    if (bound?.type === 'collision') return bound
    const columns = { ...bound?.columns, ...(contextReset && { reset_pending: 0 }) }
    if (Object.keys(columns).length > 0) {
      write.update('conversations', columns, sql`id = ${run.conversation}`)
    }
    return bound
  }

  return {
    requeue(ref, context) {
      return change(ref, {}, context, 'lost' as const, (run, _, write) => {
        if (!run.isRunning || run.step !== 'claimed') return 'lost'
        if (run.isInterrupted) return 'interrupted'
        const columns = {
          status: after('RUNNING', 'requeue'),
          fence: null,
          step: null,
          revisions: null,
          started_at: null,
          rank: sql`-1 + (SELECT min(q.rank) FROM replies q
            WHERE q.session = owner AND q.conversation = ${run.conversation} AND q.ended_at IS NULL)`,
        }
        write.update('replies', columns, sql`id = ${run.reply}`)
        return 'requeued'
      })
    },

    intend({ binding, contextReset, at, ...ref }, context) {
      const find = { bound: findBound(binding) }
      return change(ref, find, context, 'lost', (run, found, write) => {
        if (!run.isRunning) return 'lost'
        const bound = bindRun(run, { found, write, binding, contextReset, at })
        if (bound?.type === 'collision') return bound
        const isFirst = run.step === 'claimed'
        const columns = {
          ...(contextReset && { context_reset: 1 }),
          ...(isFirst && {
            step: 'intended',
            started_at: at,
            started_seq: write.append(run, { type: 'started' }),
          }),
        }
        if (Object.keys(columns).length > 0)
          write.update('replies', columns, sql`id = ${run.reply}`)
        return 'intended'
      })
    },

    bind({ binding, contextReset, at, ...ref }, context) {
      const find = { bound: findBound(binding) }
      return change(ref, find, context, 'lost', (run, found, write) => {
        if (!run.isRunning) return 'lost'
        const bound = bindRun(run, { found, write, binding, contextReset, at })
        if (bound === undefined) throw new TypeError('there is nothing to be bound to')
        if (bound.type === 'collision') return bound
        const columns = {
          ...(contextReset && { context_reset: 1 }),
          ...(run.step === 'intended' && { step: 'revealed' }),
        }
        if (Object.keys(columns).length > 0)
          write.update('replies', columns, sql`id = ${run.reply}`)
        return bound.type
      })
    },

    writeText({ sessionId, text }, context) {
      const ref = { sessionId, replyId: text.replyId, fence: text.fence }
      return change(
        ref,
        {},
        context,
        'lost',
        (run, _, write) => {
          if (isBehind(text, run.places)) return 'behind'
          const columns = {
            ...writeTexts(write, run.reply, text, run.places),
            ...newsOf(text),
            ...(text.chatId !== undefined && { step: stepWithChat(run.step) }),
          }
          write.update('replies', columns, sql`id = ${run.reply}`)
          return 'written'
        },
        text,
      )
    },

    requireAction({ sessionId, text, toolCalls, expiresAt }, context) {
      const ref = { sessionId, replyId: text.replyId, fence: text.fence }
      return change(
        ref,
        {},
        context,
        false,
        (run, _, write) => {
          if (!run.isRunning) return false
          if (isBehind(text, run.places)) return 'behind'
          const written = writeTexts(write, run.reply, text, run.places)
          write.append(run, { type: 'action-required', toolCalls, expiresAt })
          const columns = {
            ...written,
            ...newsOf(text),
            status: after('RUNNING', 'require-action'),
            step: 'waiting',
            tool_calls: JSON.stringify(toolCalls),
            action_expires_at: expiresAt,
          }
          write.update('replies', columns, sql`id = ${run.reply}`)
          return true
        },
        text,
      )
    },

    takeToolOutputs({ sessionId, replyId, toolCallIds, digest }, context) {
      const reply = row(sql`
        ${selectReplyRecord(sql`r.tool_outputs, ${replyTexts}`)} WHERE r.session = s.id AND r.key = ${replyId}`)
      return sessions.change(
        sessionId,
        { reply },
        (found, write) => {
          const stored = rowOf(found['reply'])
          if (stored === null) return { type: 'not-found' }
          const whole = replyOf(stored)
          const status = statusOf(stored)
          const isWaiting = status === 'ACTION_REQUIRED'
          const wanted = new Set(toToolCalls(stored).map(({ id }) => id))
          const given = new Set(toolCallIds)
          const isSame = given.size === toolCallIds.length && isEqual(given, wanted)
          const taken = jsonOrNull<string[]>(stored['tool_outputs']) ?? []
          if (!isWaiting || !isSame) {
            if (taken.includes(digest)) return { type: 'repeated', reply: whole }
            return { type: isWaiting ? 'other-calls' : 'not-waiting' }
          }
          const next = after(status, 'take-outputs')
          const columns = {
            status: next,
            step: 'answered',
            tool_calls: null,
            action_expires_at: null,
            tool_outputs: JSON.stringify([...taken, digest]),
          }
          write.update('replies', columns, sql`id = ${integer(stored['row'])}`)
          return {
            type: 'taken',
            reply: { ...whole, status: next, toolCalls: [], actionExpiresAt: null },
          }
        },
        context,
      )
    },
  }
}

function isEqual(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member))
}
