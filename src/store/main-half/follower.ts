import type { EventPlace, SessionId } from '../../domain.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { FollowedText, TextNews } from '../followed-text.ts'
import type { KnownText, PeerChannel } from '../peers.ts'
import type { TextOwner } from '../reply-text.ts'
import type { SessionLog, SessionSnapshot } from '../session-log.ts'
import type { SessionLogs } from '../session-logs.ts'
import { StoreError } from '../store.ts'
import type { EngineClient } from './engine-client.ts'

/** How often the store is asked for what others have written, in ms. */
const everyMs = 100
/** Sessions in which nothing runs elsewhere are asked for one time in so many: a reply may begin and end between two. */
const idleTurns = 10

/** An instance that has not answered is asked for a text again after so many ms. */
const askPeerMs = 50

/**
 * Follows what other instances write in the sessions that are read here, by one question for all of them: sessions in which
 * something runs elsewhere every 100 ms, all others every second. What peers tell is asked for at once.
 */
export class Follower implements Disposable {
  readonly #client: EngineClient
  readonly #logs: SessionLogs
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #peers: PeerChannel | undefined
  readonly #listening: Disposable | undefined
  /** When the store was last asked for a session before somebody began to read it. */
  readonly #refreshedAt = new WeakMap<SessionLog, number>()
  /** When an instance was last asked for a text. */
  readonly #askedAt = new WeakMap<FollowedText, number>()
  /** Sessions in which others have written since they were last asked for. */
  readonly #written = new Set<SessionId>()
  #isAsking = false
  #turn = 0
  #timer: Disposable | undefined
  #isEnded = false

  /** @param peers tells sooner than the store can be asked; undefined: nobody does */
  constructor(
    client: EngineClient,
    logs: SessionLogs,
    clock: Clock,
    logger: Logger,
    peers: PeerChannel | undefined,
  ) {
    this.#client = client
    this.#logs = logs
    this.#clock = clock
    this.#logger = logger
    this.#peers = peers
    this.#listening = peers?.listen({
      wrote: (sessionIds) => this.#askFor(sessionIds),
      said: (sessionId, owner, news, name) => this.#hear(sessionId, owner, news, name),
    })
    this.#schedule()
  }

  /** What `use` makes of a session's log whose end, as it is in memory, is not older than this call. */
  async refreshed<T>(sessionId: SessionId, use: (log: SessionLog) => T): Promise<T> {
    const log = this.#logs.open(sessionId)
    try {
      // Nobody else writes.
      const isFresh = this.#client.live === 1 && log.end !== undefined
      if (!isFresh) await this.#ask([log], [])
      this.#refreshedAt.set(log, this.#clock.monotonic())
      return use(log)
    } finally {
      this.#logs.settle(log)
    }
  }

  /**
   * Somebody reads the session from now on: what others run in it is asked for at once, unless it is known. Where something
   * runs here that is read, and the others are asked for at the next interval.
   */
  begin(sessionId: SessionId): void {
    const log = this.#logs.find(sessionId)
    if (log === undefined || log.wakes.size > 1 || this.#client.live === 1) return
    const refreshedAgo = this.#clock.monotonic() - (this.#refreshedAt.get(log) ?? -Infinity)
    const isKnown = log.runsHere || refreshedAgo <= everyMs
    if (log.end === undefined || !isKnown) this.#askFor([sessionId])
  }

  /** Undefined: nobody reads the session here. */
  #listened(sessionId: SessionId): SessionLog | undefined {
    const log = this.#logs.find(sessionId)
    return log !== undefined && this.#logs.listened.has(log) ? log : undefined
  }

  #hear(sessionId: SessionId, owner: TextOwner, news: TextNews, name: string): void {
    const log = this.#listened(sessionId)
    if (log === undefined) return
    if (log.hear(owner, news)) log.wake()
    const text = log.followed.find(({ replyId }) => replyId === owner.replyId)
    if (text?.hasGap === true) this.#askPeer(text, name)
  }

  /** Whoever writes a text says at once what the store has later. */
  #askPeer(text: FollowedText, name: string): void {
    const now = this.#clock.monotonic()
    if (now - (this.#askedAt.get(text) ?? -Infinity) < askPeerMs) return
    this.#askedAt.set(text, now)
    this.#peers?.ask(name, knownOf(text))
  }

  /** One question at a time: what comes meanwhile is asked for by the next one. */
  #askFor(sessionIds: readonly SessionId[]): void {
    for (const id of sessionIds) if (this.#listened(id) !== undefined) this.#written.add(id)
    if (this.#isAsking || this.#written.size === 0 || this.#isEnded) return
    const logs = [...this.#written].flatMap((id) => this.#logs.find(id) ?? [])
    this.#written.clear()
    this.#isAsking = true
    void this.#ask(logs, [])
      // They are asked for regularly as well.
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#isAsking = false
        this.#askFor([])
      })
  }

  async #poll(): Promise<void> {
    const listened = [...this.#logs.listened]
    const isAlone = this.#client.live === 1
    this.#turn = (this.#turn + 1) % idleTurns
    const isAll = this.#turn === 0 && !isAlone
    const isActive = (log: SessionLog) => log.end === undefined || log.followed.length > 0
    const asked = listened.filter((log) => isAll || isActive(log))
    const idle = isAlone ? [] : listened.filter((log) => !asked.includes(log))
    if (asked.length + idle.length === 0) return
    try {
      await this.#ask(asked, idle)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** What is damaged in one session ends nobody. A store that fails is told of elsewhere. */
  #failed(error: unknown): void {
    if (error instanceof StoreError) return
    this.#logger.error({ err: error }, 'what other instances have written could not be read')
  }

  #ask(sessions: readonly SessionLog[], idle: readonly SessionLog[]): Promise<void> {
    const asked = new Map<SessionId, EventPlace | undefined>()
    for (const { sessionId, end } of [...sessions, ...idle]) asked.set(sessionId, end)
    const texts = sessions.flatMap(({ followed }) => followed.map(knownOf))
    const ids = (logs: readonly SessionLog[]) => logs.map(({ sessionId }) => sessionId)
    const args = { sessions: ids(sessions), idle: ids(idle), texts }
    return this.#client.call('follow', args, (snapshots) => {
      for (const snapshot of snapshots) this.#tell(snapshot, asked.get(snapshot.sessionId))
    })
  }

  #tell(snapshot: SessionSnapshot, asked: EventPlace | undefined): void {
    const log = this.#logs.find(snapshot.sessionId)
    if (log === undefined) return
    if (log.follow(snapshot, asked)) log.wake()
    if (this.#peers !== undefined && log.wakes.size > 0) this.#followPeers(log, snapshot)
    this.#logs.settle(log)
  }

  /** The beginning of a reply that was not known to run was said before anybody listened. */
  #followPeers(log: SessionLog, { running }: SessionSnapshot): void {
    const { followed } = log
    for (const { replyId, instance } of running) {
      const text = followed.find((one) => one.replyId === replyId)
      if (text === undefined) continue
      this.#peers?.follow(instance)
      if (!this.#askedAt.has(text)) this.#askPeer(text, instance)
    }
  }

  #schedule(): void {
    if (this.#isEnded) return
    this.#timer = this.#clock.timer(everyMs, () => {
      void this.#poll().finally(() => this.#schedule())
    })
  }

  [Symbol.dispose](): void {
    this.#isEnded = true
    this.#listening?.[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
  }
}

function knownOf({ replyId, revisions, answer, reasoning }: FollowedText): KnownText {
  return {
    replyId,
    revision: revisions.at(-1)?.name ?? '',
    answer: answer.length,
    reasoning: reasoning.length,
  }
}
