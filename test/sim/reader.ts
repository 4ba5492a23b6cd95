import type { ConversationId, ReplyEvent, ReplyId } from '../../src/domain.ts'
import {
  CursorExpiredError,
  GatewayError,
  SubscriptionTokenExpiredError,
} from '../../src/errors.ts'
import { onAbort } from '../../src/lib/on-abort.ts'
import type { ReplySubscription } from '../../src/reply/subscribe.ts'
import type { LogItem } from '../../src/store/log.ts'
import { StoreError } from '../../src/store/store.ts'
import { type Connection, openConnection } from '../kit/history/connection.ts'
import { type End, parseCursor } from '../kit/history/history.ts'
import { toSeen } from '../kit/history/seen.ts'
import { call } from './calls.ts'
import { describeError } from './fault-text.ts'
import type { GatewayProcess } from './gateway.ts'
import { sessionIdOf } from './people.ts'
import type { Supervisor } from './supervisor.ts'
import type { World } from './world.ts'

export interface Wanted {
  readonly replyId?: ReplyId
  readonly conversationId?: ConversationId
}

/** A subscriber that reads, stalls, goes away and comes back, until the story is over. */
export interface Subscriber {
  readonly name: string
  readonly person: string
  readonly wanted: Wanted
  /** Its present connection, and where that began; undefined: it is not connected. */
  readonly place: { readonly connection: string; readonly start: string } | undefined
  /** It reads on without interruptions of its own. */
  behave(): void
}

/** Why a subscription was ended, and how its client sees that. */
class Leaving extends Error {
  override readonly name = 'Leaving'
  readonly how: End['how']
  constructor(how: End['how']) {
    super(how)
    this.how = how
  }
}

export function openSubscriber(
  world: World,
  supervisor: Supervisor,
  person: string,
  name: string,
  wanted: Wanted,
  onEvent: (event: ReplyEvent) => void,
): Subscriber {
  const { clock } = world.timeline
  const { faults, history } = world
  const random = world.random.fork(`reader ${name}`)
  const forever = new AbortController().signal
  const wait = (ms: number) => clock.sleep(ms, forever)
  const cursors: string[] = []
  let place: Subscriber['place']
  let isBehaving = false

  async function live(): Promise<void> {
    for (;;) {
      const gateway = await supervisor.current()
      if ((await connect(gateway)) === 'done') return
      place = undefined
      await wait(isBehaving ? 50 : random.between(10, 2_000))
    }
  }

  /** Where the next connection resumes: mostly where the last one ended, sometimes earlier, or from the beginning. */
  function resumePoint(): string | undefined {
    if (isBehaving || random.chance(0.85)) return cursors.at(-1)
    return random.chance(0.7) ? random.pickAny(cursors) : undefined
  }

  async function connect(gateway: GatewayProcess): Promise<'done' | 'again'> {
    const after = resumePoint()
    const byHeader = random.chance(0.5)
    const opened = await call(gateway, async () => {
      const replies = await gateway.replies(person)
      return replies.subscribe({
        replyId: wanted.replyId,
        conversationId: wanted.conversationId,
        after: byHeader ? undefined : after,
        lastEventId: byHeader ? after : undefined,
      })
    })
    if (opened.type === 'lost') return 'again'
    if (opened.type === 'refused') return refused(opened.error, after)
    const subscription = opened.value
    if (subscription.past) return 'done'
    const connection = openConnection(history, {
      reader: name,
      as: person,
      ...wanted,
      ...(after !== undefined && { after }),
    })
    place = { connection: connection.name, start: subscription.start }
    const how = await follow(gateway, subscription, connection)
    connection.end(how)
    return how === 'complete' ? 'done' : 'again'
  }

  async function follow(
    gateway: GatewayProcess,
    subscription: ReplySubscription,
    connection: Connection,
  ): Promise<End['how']> {
    const leaving = new AbortController()
    const mayLeave = !isBehaving
    const cutAfter = mayLeave && random.chance(0.3) ? random.between(1, 12) : Infinity
    let count = 0
    using _end = plan(leaving, mayLeave)

    const take = (items: readonly LogItem[]): Promise<void> | undefined => {
      for (const item of items) {
        if (leaving.signal.aborted || !gateway.clock.isAlive) return undefined
        const told = toSeen(item.event, subscription.cursor(item))
        connection.see(told)
        cursors.push(told.cursor)
        onEvent(item.event)
        count += 1
        if (count >= cutAfter) leaving.abort(new Leaving('cut'))
      }
      return isBehaving || leaving.signal.aborted ? undefined : stall(gateway, leaving)
    }

    const followed = new Promise<End['how']>((resolve) => {
      gateway.clock.enter(() => {
        subscription.follow(take, leaving.signal).then(
          // Who left in the middle of the last batch has not seen its end.
          () => resolve(leaving.signal.aborted ? endOf(leaving.signal.reason) : 'complete'),
          (error: unknown) => resolve(endOf(error)),
        )
      })
    })
    return await Promise.race([followed, gateway.died.then((): End['how'] => 'cut')])
  }

  /** How the connection may end from outside: its client goes, its credential expires. */
  function plan(leaving: AbortController, mayLeave: boolean): Disposable {
    const timers = new DisposableStack()
    if (mayLeave && random.chance(0.3)) {
      const ms = random.between(50, 8_000)
      timers.use(clock.timer(ms, () => leaving.abort(new Leaving('cut'))))
    }
    if (faults.strikes('F38a', 0.5)) {
      timers.use(
        clock.timer(random.between(50, 5_000), () => {
          faults.reach('F38a')
          leaving.abort(new SubscriptionTokenExpiredError('The credential has expired.'))
        }),
      )
    }
    return timers
  }

  function stall(gateway: GatewayProcess, leaving: AbortController): Promise<void> | undefined {
    if (faults.strikes('F35', 0.1)) {
      faults.reach('F35')
      // Nobody is there: the keep-alive finds out.
      gateway.clock.timer(24_000, () => leaving.abort(new Leaving('cut')))
      return untilLeft(leaving.signal)
    }
    if (faults.strikes('F36', 0.15)) {
      faults.reach('F36')
      gateway.clock.timer(60_000, () => leaving.abort(new Leaving('closed')))
      const ms = random.pick([500, 5_000, 20_000, 61_000])
      return gateway.clock.sleep(ms, leaving.signal)
    }
    return undefined
  }

  function untilLeft(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => onAbort(signal, resolve))
  }

  function endOf(error: unknown): End['how'] {
    if (error instanceof Leaving) return error.how
    // What runs cannot be written: the client comes again.
    if (error instanceof StoreError) return 'closed'
    if (error instanceof GatewayError) {
      history.push({ type: 'refused', where: 'stream', code: error.code })
    } else fault(error)
    return 'error'
  }

  function refused(error: unknown, after: string | undefined): 'again' | 'done' {
    if (error instanceof CursorExpiredError) {
      world.expiries += 1
      if (after !== undefined) checkExpiry(after)
      cursors.splice(0)
      // Its events are gone for good.
      if (wanted.replyId !== undefined) {
        history.push({ type: 'refused', where: 'request', code: error.code })
        return 'done'
      }
    }
    if (error instanceof GatewayError) {
      history.push({ type: 'refused', where: 'request', code: error.code })
      if (error.code === 'BAD_USER_INPUT') {
        world.problems.push(
          `${name} is refused with the cursor ${cursors.at(-1)} that it was given`,
        )
        cursors.splice(0)
      }
      return error.code === 'NOT_FOUND' ? 'done' : 'again'
    }
    if (!(error instanceof StoreError)) fault(error)
    return 'again'
  }

  /** Only what a reader has not seen yet can be missed. */
  function checkExpiry(after: string): void {
    const at = parseCursor(after)
    const log = world.disk.state.logs.get(sessionIdOf(person))
    if (at === undefined || log === undefined || at.seq < log.trimmedTo.seq) return
    world.problems.push(`${name} is refused at ${after}, and has missed nothing`)
  }

  function fault(error: unknown): void {
    const what = describeError(error)
    world.problems.push(`${name} failed by a fault: ${what}`)
  }

  void live()
  return {
    name,
    person,
    wanted,
    get place() {
      return place
    },
    behave() {
      isBehaving = true
    },
  }
}
