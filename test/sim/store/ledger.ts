import type { ConversationId, Position, ReplyId, Session, SessionId } from '../../../src/domain.ts'
import type { Fence, Ledger } from '../../../src/store/ledger.ts'
import { StoreError } from '../../../src/store/store.ts'
import { accept, beginConversation } from './accept.ts'
import { clearConversation, deleteConversation, eraseSession, trimMessages } from './deleting.ts'
import type { LogPlaces } from './log.ts'
import type { Operation, Pipe } from './pipe.ts'
import { createReads } from './reads.ts'
import { toConversation, toMessage, toSession } from './rows.ts'
import { bind, claim, findRun, finish, recordIntent, requeue, takeOrphans } from './runs.ts'
import { requireAction, takeToolOutputs } from './actions.ts'
import { history } from './history.ts'
import type { State } from './state.ts'

/** Hands out fences that grow for as long as the disk lives. */
export interface Fences {
  next(): Fence
  /** The last one handed out before this opening. */
  readonly floor: Fence
}

export function createMemoryLedger(
  pipe: Pipe,
  places: LogPlaces,
  fences: Fences,
  /** False: another has taken over. */
  isLatest: () => boolean,
): Ledger {
  /** The operation's events keep their places, and are shown when it is durable. */
  function withEvents<T>(
    sessionId: SessionId,
    apply: (state: State, place: () => Position) => T,
  ): Parameters<typeof pipe.hard<T>> {
    const placed: Position[] = []
    const placeNth = (index: number) => {
      const place = placed[index] ?? places.next(sessionId)
      if (index === placed.length) {
        placed.push(place)
        places.hold(sessionId, place)
      }
      return place
    }
    const release = () => {
      for (const place of placed) places.release(sessionId, place)
      if (placed.length > 0) places.wake(sessionId)
    }
    /** It may be applied again, and then has the same places. */
    const applyPlaced = (state: State) => {
      let events = 0
      return apply(state, () => {
        events += 1
        return placeNth(events - 1)
      })
    }
    return [applyPlaced, { onTold: release, onUndone: release }]
  }

  /** Told at once where nothing that it may rest on can still fail. */
  async function atomic<T>(apply: Operation<T>): Promise<T> {
    return pipe.hasHardPending ? pipe.hard(apply) : pipe.soft(apply)
  }

  const sessionRow = (id: SessionId) => pipe.state.sessions.get(id)

  return {
    async openSession(id, name, at) {
      void at
      const found = sessionRow(id)
      if (found !== undefined) {
        await pipe.settled()
        return { session: toSession(found), isNew: false }
      }
      const first = name(0)
      return pipe.hard((state) => {
        const isNew = !state.sessions.has(id)
        const row = state.sessions.get(id) ?? { id, name: first, generation: 0, uses: 0 }
        state.sessions.set(id, row)
        return { session: toSession(row), isNew }
      })
    },
    session: (session) => createReads(pipe, session),
    startConversation: (session, request) =>
      pipe.hard((state) => {
        const own = [...state.conversations.values()].filter(
          ({ sessionId }) => sessionId === session.id,
        )
        if (own.length >= request.max) return undefined
        return toConversation(beginConversation(state, session, request))
      }),
    renameConversation: (session, id, title) =>
      pipe.hard((state) => {
        const row = state.conversations.get(id)
        if (row?.sessionId !== session.id) return undefined
        row.title = title
        return toConversation(row)
      }),
    clearConversation: (session, id) => pipe.hard((state) => clearConversation(state, session, id)),
    deleteConversation: (session, id) =>
      pipe.hard((state) => deleteConversation(state, session, id)),
    eraseSession: (session, name) => pipe.hard((state) => eraseSession(state, session, name)),
    trimMessages: (writtenBefore) => pipe.hard((state) => trimMessages(state, writtenBefore)),
    addAttachment: (session, attachment) =>
      pipe.hard((state) => {
        state.attachments.set(attachment.id, { ...attachment, sessionId: session.id })
        const { scope: _scope, upstreamId: _upstreamId, ...told } = attachment
        return told
      }),
    rateAnswer: (session, id, rating) =>
      pipe.hard((state) => {
        const row = state.messages.get(id)
        if (row?.sessionId !== session.id || row.role !== 'ASSISTANT') return undefined
        row.rating = rating
        return toMessage(state, row)
      }),
    async accept(session, request) {
      if (!isLatest()) throw new StoreError('unavailable', 'another has taken over')
      return pipe.hard(
        ...withEvents(session.id, (state, place) => accept(state, session, request, place)),
      )
    },
    async claim(session: Session, conversationId: ConversationId, at: number) {
      if (!isLatest()) return undefined
      const fence = fences.next()
      return atomic((state) => claim(state, session, conversationId, at, fence))
    },
    requeue: (session, replyId, fence) =>
      atomic((state) => requeue(state, session, replyId, fence)),
    bind: (session, replyId, fence, binding) =>
      pipe.hard((state) => bind(state, session, replyId, fence, binding)),
    recordIntent: (session, replyId, fence, options) =>
      pipe.hard(
        ...withEvents(session.id, (state, place) =>
          recordIntent(state, session, replyId, fence, options, place),
        ),
      ),
    recordChat: (session, replyId, fence, chatId) =>
      pipe.hard((state) => {
        const row = findRun(state, session, replyId, fence)
        if (row === undefined) return false
        row.step = 'chat'
        row.chatId = chatId
        return true
      }),
    requireAction: (session, replyId, fence, action) =>
      pipe.hard(
        ...withEvents(session.id, (state, place) =>
          requireAction(state, session, replyId, fence, action, place),
        ),
      ),
    takeToolOutputs: (session, replyId, outputs) =>
      pipe.hard((state) => takeToolOutputs(state, session, replyId, outputs)),
    finish: (session, request) =>
      pipe.hard(
        ...withEvents(session.id, (state, place) => finish(state, session, request, place)),
      ),
    orphans() {
      const given = new Map<ReplyId, Fence>()
      const fenceOf = (replyId: ReplyId) => {
        const fence = given.get(replyId) ?? fences.next()
        given.set(replyId, fence)
        return fence
      }
      return pipe.hard((state) => takeOrphans(state, fences.floor, fenceOf))
    },
    async waiting() {
      const { state } = pipe
      const found = [...state.conversations.values()]
        .filter(({ id }) =>
          [...state.replies.values()].some(
            (row) => row.conversationId === id && row.told.status === 'QUEUED',
          ),
        )
        .flatMap(({ id: conversationId, sessionId, assistantId }) => {
          const row = sessionRow(sessionId)
          return row === undefined ? [] : [{ session: toSession(row), conversationId, assistantId }]
        })
      await pipe.settled()
      return found
    },
    async history(session, replyId, limit) {
      const found = history(pipe.state, session, replyId, limit)
      await pipe.settled()
      return found
    },
  }
}
