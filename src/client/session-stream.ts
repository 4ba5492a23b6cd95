import { ChatError, networkError } from './chat-error.ts'
import { createSubject, type Observable } from './observable.ts'
import type { Surroundings } from './requests.ts'
import { openResumingStream, type ResumingStream } from './resuming-stream.ts'
import type { ReplyEvent } from './schema.ts'
import { shareStream, type Sharing } from './tabs.ts'

/** A place in the event log of the session. */
export interface Position {
  readonly cursor: string
  readonly keepAliveMs: number
  readonly fingerprint: string
}

export interface Connection {
  /** `idle`: nothing is followed. `waiting`: until the next attempt. `failed`: until something is followed anew. */
  readonly status: 'idle' | 'connecting' | 'open' | 'waiting' | 'failed'
  readonly error?: ChatError
}

export interface SessionStreamOptions extends Surroundings {
  /** Reads where the log ends, together with the state of what is followed. */
  readonly readPosition: () => Promise<Position>
  readonly take: (event: ReplyEvent) => void
  /** Called when the stream has ended for good. */
  readonly fail: (error: ChatError) => void
}

/** The one stream of the session. It is open while somebody wants it. */
export interface SessionStream {
  readonly connection: Observable<Connection>
  /** Returns a function that ends the want. */
  want(): () => void
  /** The longest time that the gateway stays silent, once a position is known. */
  keepAliveMs(): number
  /** Resolves when no later event will be missed. `again`: the state of what is followed is read in any case. */
  position(again?: boolean): Promise<void>
  wake(isNewNetwork: boolean): void
  /** Ends the stream, whoever wants it. */
  close(): void
}

/** What a leader posts: an event, the cursor at which it begins, or neither as a sign of life. */
interface TabMessage {
  readonly event?: ReplyEvent
  readonly leadingFrom?: string | undefined
}

const query = `subscription($after:String){replies(after:$after){__typename cursor replyId
...on ReplyDelta{kind offset text}
...on ReplyActionRequired{toolCalls{callId kind name arguments}expiresAt}
...on ReplyCompleted{text followUps question{text options fields{name type isRequired}}omitted contextReset usage{inputTokens outputTokens totalTokens}reply{answer{id}}}
...on ReplyFailed{failure{code message retryable retryAfterMs}}
...on ReplyCancelled{upstreamCancelled}}}`

export function openSessionStream(options: SessionStreamOptions): SessionStream {
  const { platform, url } = options
  const connection = createSubject<Connection>({ status: 'idle' })
  let wants = 0
  let isRunning = false
  let cursor: string | undefined
  let last: Position | undefined
  let reading: Promise<void> | undefined
  /** Events that came while the state was read, and may be newer. */
  const heldEvents: ReplyEvent[] = []
  let sharing: Sharing | undefined
  /** Whether this tab has heard every event since it began to listen to its leader. */
  let isInStep = false
  let stream: ResumingStream | undefined

  async function position(again = false): Promise<void> {
    if (cursor === undefined || again) await (reading ??= read())
  }

  async function read(): Promise<void> {
    try {
      last = await options.readPosition()
      cursor ??= last.cursor
    } finally {
      reading = undefined
      for (const event of heldEvents.splice(0)) options.take(event)
    }
  }

  function take(event: ReplyEvent): void {
    cursor = event.cursor
    if (reading) heldEvents.push(event)
    else options.take(event)
  }

  function start(): void {
    if (isRunning || wants <= 0) return
    isRunning = true
    void run()
  }

  async function run(): Promise<void> {
    let error: ChatError | undefined
    try {
      while (wants > 0) {
        connection.set({ status: 'connecting' })
        await position()
        const { fingerprint = '', keepAliveMs = 0 } = last ?? {}
        const { tabs } = platform
        if (!tabs)
          await follow(
            () => undefined,
            () => true,
          )
        else {
          isInStep = false
          sharing = shareStream(`${url} ${fingerprint}`, keepAliveMs * 2, tabs, platform, {
            isWanted: () => wants > 0 && last?.fingerprint === fingerprint,
            receive,
            lead: follow,
            interrupt: () => stream?.interrupt(),
          })
          await sharing.ended
        }
      }
    } catch (cause) {
      error = cause instanceof ChatError ? cause : networkError(cause)
    }
    isRunning = false
    sharing = undefined
    connection.set(error ? { status: 'failed', error } : { status: 'idle' })
    if (error) options.fail(error)
  }

  function receive({ event, leadingFrom }: TabMessage): void {
    connection.set({ status: 'open' })
    if (!isInStep || (leadingFrom !== undefined && leadingFrom !== cursor)) {
      // Events may have come before this tab listened, or a leader has left between two of them.
      isInStep = true
      cursor = undefined
      position().catch(() => (isInStep = false))
    }
    if (event) take(event)
  }

  /** Reads the stream for this tab and those that follow it. */
  async function follow(post: (message: TabMessage) => void, isLeading: () => boolean) {
    const { fingerprint } = last ?? {}
    let postedAt = platform.now()
    stream = openResumingStream<{ readonly replies: ReplyEvent }>(options, {
      isEndless: true,
      isWanted: () => wants > 0 && isLeading(),
      async start() {
        connection.set({ status: 'connecting' })
        await position()
        const { keepAliveMs = 0 } = last ?? {}
        if (last?.fingerprint !== fingerprint) return undefined
        post({ leadingFrom: cursor })
        return { operation: { query, variables: { after: cursor } }, keepAliveMs }
      },
      alive() {
        if (connection.snapshot().status !== 'open') connection.set({ status: 'open' })
        const now = platform.now()
        if (now - postedAt < (last?.keepAliveMs ?? 0) / 2) return
        postedAt = now
        post({})
      },
      waiting: () => connection.set({ status: 'waiting' }),
      next({ data }) {
        post({ event: data.replies })
        take(data.replies)
      },
      moveTo: (to) => (cursor = to),
    })
    await stream.ended
  }

  function stop(): void {
    sharing?.leave()
    stream?.interrupt()
  }

  return {
    connection,
    position,
    keepAliveMs: () => last?.keepAliveMs ?? 0,
    close() {
      wants = -Infinity
      stop()
    },
    wake(isNewNetwork) {
      stream?.notice(isNewNetwork)
      start()
    },
    want() {
      wants += 1
      start()
      let isWanted = true
      return () => {
        if (!isWanted) return
        isWanted = false
        wants -= 1
        if (wants <= 0) stop()
      }
    },
  }
}
