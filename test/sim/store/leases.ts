import type { Delta, ReplyId, SessionId } from '../../../src/domain.ts'
import type { FinishRequest, RunLease } from '../../../src/store/run-lease.ts'
import { LostReplyError } from '../../../src/store/log.ts'
import { requireAction } from './actions.ts'
import type { Commits } from './commits.ts'
import { finishRow } from './finish.ts'
import { gate, type StoreUser } from './gate.ts'
import { toReply } from './rows.ts'
import { bind, findRun, intend, recordChat, requeue, type Run, saveText } from './runs.ts'
import { isOpen, type ReplyRow } from './state.ts'
import { applyDelta, type RevisedText } from './texts.ts'
import { revisionName, type Tokens } from './tokens.ts'

/** A lease is found to be lost by its next write alone. */
const neverLost = new AbortController().signal

/** A running reply as its process holds it: a crash takes what is not on disk. */
interface HeldRun {
  readonly replyId: ReplyId
  readonly sessionId: SessionId
  readonly fence: string
  text: RevisedText
  /** How far a group of writes has come, for a flaw. */
  written: RevisedText
  /** The upstream's id of the run, until it is written. */
  chatId: string | undefined
  isDirty: boolean
}

/** What one process holds of the replies that it runs. */
export interface Leases {
  lease(run: Run): RunLease
  isOwn(fence: string): boolean
  /** The text that readers are told: what the run holds, else what is on disk. */
  textOf(row: ReplyRow): RevisedText
  isRunningIn(sessionId: SessionId): boolean
  /** Writes what is only here. */
  flush(): Promise<void>
  /** Has what is only here written with the next commit. */
  writeSoon(): void
}

const groupMs = 250

export function createLeases(
  commits: Commits,
  tokens: Tokens,
  user: StoreUser,
  wake: (sessionId: SessionId) => void,
): Leases {
  const held = new Map<ReplyId, HeldRun>()
  const fences = new Set<string>()
  let isScheduled = false

  function soon(): void {
    if (isScheduled) return
    isScheduled = true
    user.timer(groupMs, () => {
      isScheduled = false
      writeSoon()
    })
  }

  function writeSoon(): void {
    const isAnyDirty = [...held.values()].some(({ isDirty }) => isDirty)
    // What was not written is written with the next group.
    if (isAnyDirty) flush().catch(() => undefined)
  }

  /** One write for all texts. */
  async function flush(): Promise<void> {
    const dirty = [...held.values()].filter(({ isDirty }) => isDirty)
    const group = dirty.map(({ replyId, fence, text, chatId, written }) => ({
      replyId,
      fence,
      text,
      chatId,
      written,
    }))
    for (const run of dirty) {
      run.isDirty = false
      run.chatId = undefined
      run.written = run.text
    }
    try {
      await commits.write('text', (state) => {
        for (const { replyId, fence, text, chatId, written } of group) {
          const row = state.replies.get(replyId)
          const isBlind = state.flaw === 'appends-blindly' && row !== undefined
          const saved = isBlind ? appendBlindly(row.text, written, text) : text
          saveText(state, replyId, fence, saved, chatId)
        }
      })
    } catch (error) {
      for (const [index, run] of dirty.entries()) {
        run.isDirty = true
        run.chatId ??= group[index]?.chatId
      }
      soon()
      throw error
    }
  }

  function lease({ claim, fence, text }: Run): RunLease {
    const { session, reply } = claim
    const run: HeldRun = {
      replyId: reply.id,
      sessionId: session.id,
      fence,
      text,
      written: text,
      chatId: undefined,
      isDirty: false,
    }
    held.set(reply.id, run)
    fences.add(fence)
    const release = () => void (held.get(reply.id) === run && held.delete(reply.id))

    return gate<RunLease>(
      {
        ...claim,
        get answer() {
          return run.text.answer
        },
        get reasoning() {
          return run.text.reasoning
        },
        whenLost: neverLost,
        intend: (intent) =>
          commits.write('intend', (state) => intend(state, reply.id, fence, intent, tokens)),
        bind: (binding, options) =>
          commits.write('bind', (state) => bind(state, reply.id, fence, binding, options)),
        recordChat(chatId) {
          run.chatId = chatId
          run.isDirty = true
          soon()
        },
        append(deltas) {
          if (findRun(commits.state, reply.id, fence) === undefined) {
            release()
            throw new LostReplyError('the reply does not run under this lease')
          }
          run.text = deltas.reduce((before, delta) => grow(before, delta, fence), run.text)
          run.isDirty = true
          wake(session.id)
          if (commits.isFailing) return flush()
          soon()
          return undefined
        },
        requireAction: (action) =>
          commits.write('action', (state) => {
            const isDone = requireAction(state, reply.id, fence, action, run, tokens)
            if (isDone) run.chatId = undefined
            return isDone
          }),
        async finish(request) {
          const outcome = await commits.write('finish', (state) => {
            const row = state.replies.get(reply.id)
            if (row?.sessionId !== session.id) return { type: 'lost' } as const
            if (!isOpen(row) && state.flaw !== 'ends-twice') {
              return { type: 'already', reply: toReply(state, row) } as const
            }
            if (row.fence !== fence && state.flaw !== 'forgets-fences') {
              return { type: 'lost' } as const
            }
            recordChat(row, run.chatId)
            const whole: FinishRequest = { ...request, replyId: reply.id }
            return finishRow(state, row, whole, run.text, tokens)
          })
          release()
          return outcome
        },
        async requeue() {
          const outcome = await commits.write('requeue', (state) => requeue(state, reply.id, fence))
          if (outcome !== 'interrupted') release()
          return outcome
        },
      },
      user,
    )
  }

  function grow(before: RevisedText, delta: Delta, fence: string): RevisedText {
    return applyDelta(before, delta, () => revisionName(before, fence, commits.state.flaw))
  }

  return {
    lease,
    isOwn: (fence) => fences.has(fence),
    textOf(row) {
      const run = held.get(row.id)
      const isHeld =
        (row.fence === run?.fence && isOpen(row)) || commits.state.flaw === 'reads-stale-memory'
      return run !== undefined && isHeld ? run.text : row.text
    },
    isRunningIn: (sessionId) =>
      [...held.values()].some(
        ({ replyId, fence, sessionId: owner }) =>
          owner === sessionId && findRun(commits.state, replyId, fence) !== undefined,
      ),
    flush,
    writeSoon,
  }
}

/** What a group that was built on another one makes of a text, where that other one was lost. */
function appendBlindly(stored: RevisedText, from: RevisedText, to: RevisedText): RevisedText {
  if (from.revisions.length !== to.revisions.length) return to
  return {
    ...to,
    answer: stored.answer + to.answer.slice(from.answer.length),
    reasoning: stored.reasoning + to.reasoning.slice(from.reasoning.length),
  }
}
