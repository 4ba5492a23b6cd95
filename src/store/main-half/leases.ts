import type { LogEvent, Message, MessageId, Reply, ReplyId, SessionId } from '../../domain.ts'
import type { PeerChannel } from '../peers.ts'
import type { Clock } from '../../lib/clock.ts'
import type { SessionLog } from '../session-log.ts'
import type { SessionLogs } from '../session-logs.ts'
import { Lease, type LeaseParts } from './lease.ts'
import type { StoredEvent, StoredRun, WrittenEvent } from './stored.ts'
import type { TextWriter } from './text-writer.ts'
import type { EngineClient } from './engine-client.ts'

/** The leases that this process holds: of every reply that runs. */
export class Leases implements LeaseParts {
  readonly client: EngineClient
  readonly writer: TextWriter
  readonly logs: SessionLogs
  readonly #held = new Map<ReplyId, Lease>()
  readonly #byMessage = new Map<MessageId, Lease>()
  readonly #clock: Clock
  readonly #confirmAfterMs: number

  readonly #peers: PeerChannel | undefined

  /**
   * @param peers is told what is written here; undefined: nobody is
   * @param confirmAfterMs as `MainHalfOptions` has it
   */
  constructor(
    client: EngineClient,
    writer: TextWriter,
    logs: SessionLogs,
    peers: PeerChannel | undefined,
    clock: Clock,
    confirmAfterMs = Infinity,
  ) {
    this.client = client
    this.#clock = clock
    this.#confirmAfterMs = confirmAfterMs
    this.writer = writer
    this.logs = logs
    this.#peers = peers
  }

  said(lease: Lease): void {
    lease.log.wake()
    if (this.client.live > 1) this.#peers?.said(lease.session.id, lease.text)
  }

  get now(): number {
    return this.#clock.monotonic()
  }

  /** @param isStarted its `started` event was shown before this process began */
  hold(run: StoredRun, isStarted = false): Lease {
    const lease = new Lease(run, this)
    this.#held.set(lease.text.replyId, lease)
    this.#byMessage.set(lease.message.id, lease)
    lease.log.run(lease.text, isStarted)
    this.logs.settle(lease.log)
    return lease
  }

  fences(): readonly string[] {
    return [...this.#held.values()].map(({ fence }) => fence)
  }

  /** Those of these fences have been taken by another, or their replies have ended. */
  lost(fences: readonly string[]): void {
    for (const lease of this.#held.values()) if (fences.includes(lease.fence)) lease.taken()
  }

  async isStillHeld(lease: Lease, askedAt: number): Promise<boolean> {
    if (this.#clock.monotonic() - askedAt <= this.#confirmAfterMs) return true
    const isHeld = await this.client.call('isHeld', lease.run)
    if (!isHeld) lease.lost()
    return isHeld
  }

  find(replyId: ReplyId): Lease | undefined {
    return this.#held.get(replyId)
  }

  /** The message of the session that a reply answers which runs here. It does not change as long as that runs. */
  findMessage(sessionId: SessionId, id: MessageId): Message | undefined {
    const lease = this.#byMessage.get(id)
    return lease?.session.id === sessionId ? lease.message : undefined
  }

  /**
   * The texts of those replies of the session that run, on their way to the disk ahead of whatever is called next: what a query tells of
   * them is not lost in a crash.
   */
  textsToTell(
    sessionId: SessionId,
    ids: Iterable<ReplyId> = this.#held.keys(),
  ): ReadonlyMap<ReplyId, Pick<Reply, 'text' | 'reasoning'>> {
    const texts = new Map<ReplyId, Pick<Reply, 'text' | 'reasoning'>>()
    for (const id of ids) {
      const lease = this.#held.get(id)
      if (lease?.session.id !== sessionId) continue
      this.writer.flush(lease)
      texts.set(id, { text: lease.answer, reasoning: lease.reasoning })
    }
    return texts
  }

  drop(lease: Lease): void {
    this.#held.delete(lease.text.replyId)
    this.#byMessage.delete(lease.message.id)
    this.logs.settle(lease.log)
  }

  show(events: readonly WrittenEvent[], answer = ''): void {
    const logs = new Set<SessionLog>()
    for (const { sessionId, event, running } of events) {
      const log = this.logs.open(sessionId)
      log.show(toLogEvent(event, answer), running)
      logs.add(log)
    }
    for (const log of logs) {
      log.wake()
      this.logs.settle(log)
    }
    this.#tell(events)
  }

  #tell(events: readonly WrittenEvent[]): void {
    if (this.client.live === 1) return
    for (const { sessionId } of events) this.#peers?.wrote(sessionId)
  }

  /** A reply has ended with the text on disk, whoever held its lease. */
  endedByOther(replyId: ReplyId, events: readonly WrittenEvent[], answer: string): void {
    const lease = this.#held.get(replyId)
    if (lease === undefined) {
      this.show(events, answer)
      return
    }
    // Its readers are served from the disk: nobody may be woken before that is so.
    for (const { event, running } of events) lease.log.show(toLogEvent(event, answer), running)
    lease.lost()
    lease.log.wake()
    this.#tell(events)
  }
}

/** @param answer the text of a completed one */
export function toLogEvent(event: StoredEvent, answer: string): LogEvent {
  return event.type === 'completed' ? { ...event, text: answer } : event
}
