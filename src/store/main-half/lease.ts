import type {
  Delta,
  Message,
  MessageExtras,
  Question,
  Reply,
  Session,
  TerminalEventBody,
  ToolCall,
} from '../../domain.ts'
import { commonLength } from '../../lib/surrogate.ts'
import type {
  Collision,
  FinishOutcome,
  FinishRequest,
  RequeueOutcome,
  RunLease,
  StoredAttachment,
} from '../run-lease.ts'
import type { UpstreamBinding } from '../../domain/upstream.ts'
import { LostReplyError } from '../log.ts'
import { ReplyText } from '../reply-text.ts'
import type { SessionLog } from '../session-log.ts'
import type { SessionLogs } from '../session-logs.ts'
import type { ArgsOf } from './calls.ts'
import type { FinishArgs, FinishedCall, StoredRun, WrittenEvent } from './stored.ts'
import type { TextSource, TextWriter } from './text-writer.ts'
import { UnwrittenText } from './unwritten-text.ts'
import type { EngineClient } from './engine-client.ts'

/** What all leases share. */
export interface LeaseParts {
  readonly client: EngineClient
  readonly writer: TextWriter
  readonly logs: SessionLogs
  /** Shows events to readers; `answer` is the text of a completed one. */
  show(events: readonly WrittenEvent[], answer?: string): void
  /** The text of the lease has changed. */
  said(lease: Lease): void
  /** The monotonic time, in ms. */
  readonly now: number
  /**
   * Whether a lease may be believed whose last write was asked for at a time: a writer who waited for long, or stood still
   * meanwhile, may have lost it.
   */
  isStillHeld(lease: Lease, askedAt: number): Promise<boolean>
  /** The lease is held no more. */
  drop(lease: Lease): void
}

type Intent = Omit<ArgsOf<'intend'>, 'sessionId' | 'replyId' | 'fence'>

/** The parts of a fence that name its revisions. */
const nameLength = 4

/** A run that this process holds, with the text of its reply. */
export class Lease implements RunLease, TextSource {
  readonly session: Session
  readonly reply: Reply
  readonly message: Message
  readonly attachments: readonly StoredAttachment[]
  readonly extras: MessageExtras
  readonly upstream: UpstreamBinding | undefined
  readonly contextReset: boolean
  readonly generation: number
  readonly headSince: number
  readonly askedBefore: Question | null
  readonly text: ReplyText
  readonly unwritten: UnwrittenText
  readonly log: SessionLog
  /** It names the lease in the store. */
  readonly fence: string
  readonly #parts: LeaseParts
  readonly #gone = new AbortController()
  /** As it was written under this lease, with the binding that came to be known since. */
  #intent: Intent | undefined
  /** Revisions that were begun under this lease. */
  #revisions = 1
  #state: 'running' | 'ending' | 'lost' = 'running'

  constructor({ fence, revisions, claim, answer, reasoning }: StoredRun, parts: LeaseParts) {
    this.session = claim.session
    this.reply = { ...claim.reply, text: answer, reasoning }
    this.message = claim.message
    this.attachments = claim.attachments
    this.extras = claim.extras
    this.upstream = claim.upstream
    this.contextReset = claim.contextReset
    this.generation = claim.generation
    this.headSince = claim.headSince
    this.askedBefore = claim.askedBefore
    const { id: replyId, conversationId } = claim.reply
    this.text = new ReplyText({ replyId, conversationId }, revisions, { answer, reasoning })
    this.unwritten = new UnwrittenText(claim.session.id, this.text, fence)
    this.log = parts.logs.open(claim.session.id)
    this.#parts = parts
    this.fence = fence
  }

  get whenLost(): AbortSignal {
    return this.#gone.signal
  }

  get answer(): string {
    return this.text.answer.value
  }

  get reasoning(): string {
    return this.text.reasoning.value
  }

  async intend(intent: Intent): Promise<'intended' | 'lost' | Collision> {
    const { now } = this.#parts
    const outcome = await this.#writeIntent(intent)
    const isSure = outcome !== 'intended' || (await this.#parts.isStillHeld(this, now))
    return isSure ? outcome : 'lost'
  }

  bind(
    binding: UpstreamBinding,
    options: { readonly contextReset: boolean; readonly at: number },
  ): Promise<'bound' | 'known' | 'lost' | Collision> {
    const args = { ...this.run, binding, ...options }
    if (this.#intent !== undefined) this.#intent = { ...this.#intent, binding }
    return this.#parts.client.call('bind', args, (outcome) => {
      if (outcome === 'lost') this.lost()
      return outcome
    })
  }

  #writeIntent(intent: Intent): Promise<'intended' | 'lost' | Collision> {
    return this.#parts.client.call('intend', { ...this.run, ...intent }, (result, events) => {
      if (result === 'lost') this.lost()
      if (result === 'intended') {
        this.#intent = intent
        this.unwritten.isStarted = true
      }
      this.#parts.show(events)
      return result
    })
  }

  recordChat(chatId: string): void {
    if (this.#state !== 'running') return
    this.unwritten.recordChat(chatId)
    // Nobody waits for it, not even where the store fails.
    this.#parts.writer.add(this, 0)?.catch(() => {})
  }

  append(deltas: readonly Delta[]): Promise<void> | undefined {
    if (this.#state !== 'running') {
      throw new LostReplyError('the reply does not run under this lease any more')
    }
    let length = 0
    for (const delta of deltas) {
      this.#put(delta)
      length += delta.text.length
    }
    this.#parts.said(this)
    return this.#parts.writer.add(this, length)
  }

  requireAction(action: {
    readonly toolCalls: readonly ToolCall[]
    readonly expiresAt: number
  }): Promise<boolean> {
    const { writer, client } = this.#parts
    writer.remove(this)
    const { write, ended } = this.unwritten.write(false)
    const args = { sessionId: this.session.id, text: write, ...action }
    const done = client.call('requireAction', args, (isDone, events) => {
      ended(isDone === true)
      if (isDone === 'behind') this.behind()
      else if (!isDone) this.lost()
      this.#parts.show(events)
      return isDone
    })
    return done.then(
      (isDone) => (isDone === 'behind' ? this.requireAction(action) : isDone),
      (error: unknown) => {
        ended(false)
        this.#retryText()
        throw error
      },
    )
  }

  finish({ event, ...request }: Omit<FinishRequest, 'replyId'>): Promise<FinishOutcome> {
    const { writer, client } = this.#parts
    if (this.#state === 'running') {
      if (event.type === 'completed') this.#correct(event.text)
      this.#state = 'ending'
    }
    writer.remove(this)
    const { write, ended } = this.unwritten.write(true)
    const { sessionId, replyId } = this.run
    const args: FinishArgs = { ...request, sessionId, replyId, event: toEnding(event), text: write }
    const finished = client.call('finish', args, (result, events) => {
      ended(result.type === 'finished')
      if (result.type === 'behind') {
        this.behind()
        return undefined
      }
      if (result.type !== 'finished') {
        this.lost()
        return toOutcome(result)
      }
      const { answer, reasoning } = this
      this.#state = 'lost'
      this.#parts.show(events, answer)
      this.#parts.drop(this)
      return toOutcome({ ...result, texts: { answer, reasoning } })
    })
    return finished.then(
      (outcome) => outcome ?? this.finish({ event, ...request }),
      (error: unknown) => {
        ended(false)
        if (this.#state === 'ending') this.#state = 'running'
        this.#retryText()
        throw error
      },
    )
  }

  requeue(): Promise<RequeueOutcome> {
    return this.#parts.client.call('requeue', this.run, (outcome) => {
      if (outcome === 'requeued') this.lost()
      return outcome
    })
  }

  /**
   * The store has lost what was written under this lease, though not the lease itself. The intent is written ahead of whatever
   * is called next, with the `started` event, and the text from its beginning with it.
   */
  behind(): void {
    this.unwritten.rewrite()
    if (this.#intent === undefined) return
    void this.#writeIntent(this.#intent).then(
      (outcome) => {
        // Its upstream conversation has come to be another's meanwhile.
        if (typeof outcome === 'object') this.lost()
      },
      // The next write finds out again.
      () => undefined,
    )
  }

  /** Another has it, or its reply has ended; what is just ending it will find out by itself. */
  taken(): void {
    if (this.#state === 'running') this.lost()
  }

  /** The reply does not run under this lease any more; what memory holds of it is dropped. */
  lost(): void {
    if (this.#state === 'lost') return
    this.#state = 'lost'
    this.#parts.writer.remove(this)
    this.log.drop(this.text)
    this.#parts.drop(this)
    this.#gone.abort(new LostReplyError('the reply does not run under this lease any more'))
  }

  get run() {
    return { sessionId: this.session.id, replyId: this.text.replyId, fence: this.fence }
  }

  #put(delta: Delta): void {
    this.unwritten.put(delta, () => {
      const name = this.fence.slice(0, nameLength) + this.#revisions.toString(36)
      this.#revisions += 1
      return name
    })
  }

  /** The text is this one after all. */
  #correct(text: string): void {
    const { answer } = this
    if (answer === text) return
    const offset = this.text.answer.roundDown(commonLength(answer, 0, text))
    this.#put({ kind: 'ANSWER', offset, text: text.slice(offset) })
    this.#parts.said(this)
  }

  /** A write that was to take the text along has failed. */
  #retryText(): void {
    if (this.#state === 'lost' || this.unwritten.isEmpty) return
    this.#parts.writer.add(this, this.unwritten.length)?.catch(() => {})
  }
}

/** The text of a completed event is not told beside the reply's own. */
export function toEnding(event: TerminalEventBody): FinishArgs['event'] {
  if (event.type !== 'completed') return event
  const { text: _, ...ending } = event
  return ending
}

export function toOutcome(result: FinishedCall): FinishOutcome {
  // Only a run's own text can be behind, and is written again.
  if (result.type === 'lost' || result.type === 'behind') return { type: 'lost' }
  const { reply, texts, ...outcome } = result
  const { answer: text, reasoning } = texts ?? noTexts
  return { ...outcome, reply: { ...reply, text, reasoning } }
}

const noTexts = { answer: '', reasoning: '' }
