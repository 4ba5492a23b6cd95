import type { MessageId, StrategyKind } from '../../../src/domain.ts'
import type { LogItem } from '../../../src/store/log.ts'
import type { RunContext } from '../../../src/strategy/strategy.ts'
import { leasing } from './leasing.ts'
import type { SeededBug } from './seeded-bug.ts'
import { reading } from './reading.ts'
import { replacing } from './replacing.ts'

/** Bugs against the order of writes: something happens before the write that it has to wait for. */

/** The request leaves although its send intent is on its way to disk. */
export function sendsBeforeTheIntent(): SeededBug {
  return {
    ledger: (ledger) =>
      leasing(ledger, (lease) => ({
        async intend(intent) {
          void lease.intend(intent).catch(() => undefined)
          return 'intended'
        },
      })),
  }
}

/** Text is shown although nobody knows yet whose conversation it comes from. */
export function showsBeforeTheBinding(strategy: StrategyKind): SeededBug {
  return {
    ledger: (ledger) =>
      leasing(ledger, (lease) => ({
        async bind(binding, options) {
          const bound = lease.bind(binding, options)
          if (binding.strategy !== strategy) return await bound
          void bound.catch(() => undefined)
          return 'bound'
        },
      })),
    strategy: (own) =>
      own.kind === strategy ? replacing(own, { listRevealed: async () => [] }) : own,
  }
}

/** What an INTERRUPT stops is stopped before anybody looks whether the message was accepted before. */
export function interruptsBeforeTheKey(): SeededBug {
  return {
    ledger: (ledger) =>
      replacing(ledger, {
        async accept(session, request) {
          const { conversationId, onBusy, at } = request
          if (onBusy === 'INTERRUPT' && conversationId !== undefined) {
            const open = await ledger.session(session).openReplies(conversationId)
            for (const { id: replyId, status } of open) {
              if (status === 'QUEUED') continue
              await ledger.finish(session, {
                replyId,
                event: { type: 'cancelled', upstreamCancelled: false },
                answerId: '' as MessageId,
                resetUpstream: true,
                upstreamMessageId: undefined,
                explanation: undefined,
                owesCancel: undefined,
                at,
              })
            }
          }
          return await ledger.accept(session, request)
        },
      }),
  }
}

/** A reader is told the beginning of a text, and then that the reply has started. */
export function tellsTextFirst(): SeededBug {
  function swapped(items: readonly LogItem[]): readonly LogItem[] {
    const [first, second, ...rest] = items
    const isStart = first?.event.type === 'started' && second?.event.type === 'delta'
    return isStart ? [second, first, ...rest] : items
  }
  return { log: (log) => replacing(log, { read: reading(log, swapped) }) }
}

/** A conversation that is begun anew upstream has the name of the one that it has left. */
export function keepsTheName(): SeededBug {
  const first = <C extends RunContext>(run: C): C => ({ ...run, generation: 0 })
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        open: (run, signal) => strategy.open(first(run), signal),
        start: (request, take, signal) => strategy.start(first(request), take, signal),
      }),
  }
}

/** After a cancel that the platform was not told of, the next message goes to the same place. */
export function keepsWhatWasCancelled(): SeededBug {
  return {
    ledger: (ledger) =>
      leasing(ledger, (lease) => ({
        finish: (request) =>
          lease.finish(
            request.event.type === 'cancelled' ? { ...request, resetUpstream: false } : request,
          ),
      })),
  }
}

/** The platform is told of a cancel a while after everybody else. */
export function cancelsLater(): SeededBug {
  const forever = new AbortController().signal
  return {
    strategy: (strategy) =>
      replacing(strategy, {
        async cancel(run) {
          void Promise.resolve()
            .then(() => strategy.cancel(run, forever))
            .catch(() => undefined)
          return 'agreed'
        },
      }),
  }
}

/** Owed work is taken for done as soon as somebody is at it. */
export function settlesFirst(): SeededBug {
  return {
    outbox: (outbox) =>
      replacing(outbox, {
        async take(options) {
          const works = await outbox.take(options)
          await outbox.settle(works.map(({ id }) => id))
          return works
        },
      }),
  }
}
