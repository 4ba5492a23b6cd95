import { Buffer } from 'node:buffer'
import type { CozeTarget, TakeCozeEvents } from '../../../src/coze/client.ts'
import { CozeError } from '../../../src/coze/errors.ts'
import type { DeltaKind, ReplyId, Session, SessionId } from '../../../src/domain.ts'
import type { ReplySubscription } from '../../../src/reply/subscribe.ts'
import type { LogItem } from '../../../src/store/log.ts'
import { RunFailedError } from '../../../src/strategy/run-failure.ts'
import type { StartRequest, TakeRunEvents } from '../../../src/strategy/strategy.ts'
import { leasing } from './leasing.ts'
import type { SeededBug } from './seeded-bug.ts'
import { reading } from './reading.ts'
import { replacing } from './replacing.ts'

export function ignoresKeys(): SeededBug {
  return {
    ledger: (ledger) =>
      replacing(ledger, {
        accept: (session, request) =>
          ledger.accept(session, { ...request, idempotency: undefined }),
      }),
  }
}

/** Whatever may still run in an upstream conversation, the next message goes there. */
export function keepsUpstream(): SeededBug {
  return {
    ledger: (ledger) =>
      leasing(
        replacing(ledger, {
          finish: (session, request) =>
            ledger.finish(session, { ...request, resetUpstream: false }),
        }),
        (lease) => ({ finish: (request) => lease.finish({ ...request, resetUpstream: false }) }),
      ),
  }
}

export function servesWhatLeaks(): SeededBug {
  return { verdicts: (verdicts) => replacing(verdicts, { verdictOf: () => 'UNPROVEN' }) }
}

export function storesNoBreach(): SeededBug {
  return { isolation: (records) => replacing(records, { recordBreach: async () => undefined }) }
}

export function forgetsWaiting(): SeededBug {
  return { ledger: (ledger) => replacing(ledger, { waiting: async () => [] }) }
}

/** Whoever knows an id is given what it names. */
export function asksForNoOwner(): SeededBug {
  const sessions = new Map<SessionId, Session>()
  return {
    ledger: (ledger) =>
      replacing(ledger, {
        async openSession(...given) {
          const opened = await ledger.openSession(...given)
          sessions.set(opened.session.id, opened.session)
          return opened
        },
        session: (session) =>
          replacing(ledger.session(session), {
            async replies(ids) {
              const own = ledger.session(session)
              const everybody = [own, ...[...sessions.values()].map((each) => ledger.session(each))]
              const found = await Promise.all(everybody.map((each) => each.replies(ids)))
              return ids.map((_, index) => found.map((each) => each[index]).find(Boolean))
            },
          }),
      }),
  }
}

export function sendsAgain(): SeededBug {
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        async start(request, take, signal) {
          let hasBegun = false
          try {
            const takeFirst: TakeRunEvents = (events) => {
              hasBegun = true
              return take(events)
            }
            await strategy.start(request, takeFirst, signal)
          } catch (error) {
            const isUnknown = error instanceof RunFailedError && error.outcome === 'unseen'
            if (hasBegun || !isUnknown) throw error
            await strategy.start(request, take, signal)
          }
        },
      }),
  }
}

export function retriesAnything(): SeededBug {
  return {
    client: (client) =>
      replacing(client, {
        async stream(request, take, signal) {
          let hasBegun = false
          try {
            const takeFirst: TakeCozeEvents = (events) => {
              hasBegun = true
              return take(events)
            }
            await client.stream(request, takeFirst, signal)
          } catch (error) {
            if (hasBegun || !(error instanceof CozeError) || error.kind !== 'server') throw error
            await client.stream(request, take, signal)
          }
        },
      }),
  }
}

/** Everybody comes with the first access token that anybody had. */
export function mixesTokens(): SeededBug {
  let first: CozeTarget | undefined
  const mixed = (target: CozeTarget) => (first ??= target)
  return {
    client: (client) =>
      replacing(client, {
        request(request, signal) {
          const isMint = request.path.includes('oauth2')
          const target = isMint ? request.target : mixed(request.target)
          return client.request({ ...request, target }, signal)
        },
        stream: (request, take, signal) =>
          client.stream({ ...request, target: mixed(request.target) }, take, signal),
      }),
  }
}

/** As if every event were of this run. */
export function sleepingGuard(): SeededBug {
  function blessed(take: TakeRunEvents, { upstream }: StartRequest): TakeRunEvents {
    let chatId: string | undefined
    let conversationId = upstream.type === 'id' ? upstream.conversationId : undefined
    return (batch) =>
      take(
        batch.map((event) => {
          chatId ??= event.chatId
          conversationId ??= event.conversationId
          return { ...event, chatId, conversationId }
        }),
      )
  }
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        start: (request, take, signal) => strategy.start(request, blessed(take, request), signal),
      }),
  }
}

export function dropsCorrections(): SeededBug {
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        start: (request, take, signal) =>
          strategy.start(
            request,
            (batch) => take(batch.filter(({ type }) => type !== 'message')),
            signal,
          ),
      }),
  }
}

export function losesADelta(): SeededBug {
  return { log: (log) => replacing(log, { read: reading(log, withoutSecond) }) }
}

function withoutSecond(items: readonly LogItem[]): readonly LogItem[] {
  const [first, second] = items
  return first?.event.type === 'delta' && second?.event.type === 'completed'
    ? items.slice(1)
    : items
}

export function countsBytes(): SeededBug {
  const texts = new Map<string, string>()
  const keyOf = (replyId: ReplyId, kind: DeltaKind) => replyId + kind
  const counted = (item: LogItem): LogItem => {
    const { event } = item
    if (event.type !== 'delta') return item
    const text = texts.get(keyOf(event.replyId, event.kind)) ?? ''
    return {
      ...item,
      event: { ...event, offset: Buffer.byteLength(text.slice(0, event.offset)) },
    }
  }
  return {
    ledger: (ledger) =>
      leasing(ledger, (lease) => ({
        append(deltas) {
          for (const { kind, offset, text } of deltas) {
            const key = keyOf(lease.reply.id, kind)
            texts.set(key, (texts.get(key) ?? '').slice(0, offset) + text)
          }
          return lease.append(deltas)
        },
      })),
    log: (log) => replacing(log, { read: reading(log, (items) => items.map(counted)) }),
  }
}

export function mixesLogs(): SeededBug {
  let first: SessionId | undefined
  return {
    log: (log) =>
      replacing(log, {
        read(sessionId, ...given) {
          first ??= sessionId
          return log.read(first, ...given)
        },
        end(sessionId) {
          first ??= sessionId
          return log.end(first)
        },
        check(sessionId, position) {
          first ??= sessionId
          return log.check(first, position)
        },
        listen(sessionId, wake) {
          first ??= sessionId
          return log.listen(first, wake)
        },
      }),
  }
}

export function losesWakes(): SeededBug {
  let count = 0
  return {
    log: (log) =>
      replacing(log, {
        listen: (sessionId, wake) =>
          log.listen(sessionId, () => {
            count += 1
            if (count % 3 !== 0) wake()
          }),
      }),
  }
}

/** Resumes so many code units beside the cursor, in the text that was read last. */
export function resumesAt(distance: number): SeededBug {
  const shifted = (cursor: string | undefined) =>
    cursor?.replace(
      /\.(\d+)\.(\d+)$/,
      (_, answer, reasoning) => `.${Math.max(0, Number(answer) + distance)}.${reasoning}`,
    )
  return {
    replies: (replies) =>
      replacing(replies, {
        subscribe: (request) =>
          replies.subscribe({
            ...request,
            after: shifted(request.after),
            lastEventId: shifted(request.lastEventId),
          }),
      }),
  }
}

export function cancelsOnDisconnect(): SeededBug {
  return {
    replies: (replies) =>
      replacing(replies, {
        async subscribe(request) {
          const subscription = await replies.subscribe(request)
          const { replyId } = request
          return replacing<ReplySubscription>(subscription, {
            async follow(take, signal) {
              try {
                await subscription.follow(take, signal)
              } finally {
                if (signal.aborted && replyId !== undefined) await replies.cancelReply(replyId)
              }
            },
          })
        },
      }),
  }
}

/** A look-up that found no answer is taken for one that found that there was none. */
export function takesNothingForTheEnd(): SeededBug {
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        async recover(request, signal) {
          const found = await strategy.recover(request, signal)
          const { chatId, upstreamConversationId: conversationId } = request
          if (found.type === 'found' || chatId === undefined || conversationId === undefined) {
            return found
          }
          const ids = { chatId, conversationId }
          const end = { type: 'completed', ...ids, usage: null } as const
          return { type: 'found', events: [{ type: 'accepted', ...ids }, end] }
        },
      }),
  }
}

/** Whatever answer is listed is taken for all of it, be it less than readers hold. */
export function takesLessForTheEnd(): SeededBug {
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        recover: (request, signal) =>
          strategy.recover({ ...request, shown: '', isFinished: true }, signal),
      }),
  }
}

/** Whatever stands in a conversation under another chat was there before. */
export function suspectsSeeds(): SeededBug {
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        async listRevealed(run, signal) {
          const rows = await strategy.listRevealed(run, signal)
          if (typeof rows === 'string') return rows
          return rows.map((row) =>
            row.chatId === run.chatId ? row : { ...row, chatId: '1', isOurs: false },
          )
        },
      }),
  }
}

/** A run that is not where it was sent to must be another's. */
export function suspectsMoves(): SeededBug {
  function pinned(take: TakeRunEvents, { upstream }: StartRequest): TakeRunEvents {
    let isFirst = true
    return (batch) => {
      const [event] = batch
      const isPinned = isFirst && event !== undefined && upstream.type === 'id'
      isFirst = false
      if (!isPinned) return take(batch)
      const { conversationId } = upstream
      return take([{ type: 'accepted', chatId: event.chatId, conversationId }, ...batch])
    }
  }
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        start: (request, take, signal) => strategy.start(request, pinned(take, request), signal),
      }),
  }
}

/** What a platform refuses once it is asked again for ever. */
export function learnsNoKeying(): SeededBug {
  return { strategy: (strategy) => replacing(strategy, { opensByName: false }) }
}
