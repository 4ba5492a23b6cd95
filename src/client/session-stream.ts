import { ChatError, networkError, responseError } from './chat-error.ts'
import { createSubject, type Observable } from './observable.ts'
import type { Platform } from './platform.ts'
import type { ReplyEvent } from './schema.ts'
import { backoffMs } from './requests.ts'
import { shareStream, type Sharing } from './tabs.ts'
import type { Transport } from './transport.ts'

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

export interface SessionStreamOptions {
  readonly url: string
  readonly transport: Transport
  readonly platform: Platform
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  /** Attempts without progress before the client gives up. */
  readonly maxAttempts: number
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
  /** Resolves when no later event will be missed. `again`: the state of what is followed is read in any case. */
  position(again?: boolean): Promise<void>
  wake(isNewNetwork: boolean): void
  /** Ends the stream, whoever wants it. */
  close(): void
}

interface Ending {
  readonly error?: ChatError | undefined
  readonly hasProgressed: boolean
  readonly retryMs?: number | undefined
  /** The client itself has ended it, so there is nothing to wait for. */
  readonly isOwn?: boolean
}

/** What a leader posts: an event, the cursor at which it begins, or neither as a sign of life. */
interface TabMessage {
  readonly event?: ReplyEvent
  readonly leadingFrom?: string | undefined
}

/** What has happened is not known, so it may be tried again. */
const passing = (error: ChatError) => error.retryable || error.code === 'INTERNAL_SERVER_ERROR'

const query = `subscription($after:String){replies(after:$after){__typename cursor replyId
...on ReplyDelta{kind offset text}
...on ReplyActionRequired{toolCalls{callId kind name arguments}expiresAt}
...on ReplyCompleted{text followUps question{text options fields{name type isRequired}}omitted contextReset usage{inputTokens outputTokens totalTokens}reply{answer{id}}}
...on ReplyFailed{failure{code message retryable retryAfterMs}}
...on ReplyCancelled{upstreamCancelled}}}`

export function openSessionStream(options: SessionStreamOptions): SessionStream {
  const { transport, platform, url, maxAttempts } = options
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
  /** Ends what the loop waits for now: a stream or a pause. */
  let interrupt = () => {}
  let notice = (_isNewNetwork: boolean) => {}

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
            interrupt: () => interrupt(),
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
      position().catch(() => undefined)
    }
    if (event) take(event)
  }

  async function follow(post: (message: TabMessage) => void, isLeading: () => boolean) {
    const name = last?.fingerprint
    let isRefused = false
    for (let attempts = 0; ;) {
      connection.set({ status: 'connecting' })
      await position()
      if (last?.fingerprint !== name) return
      post({ leadingFrom: cursor })
      const { error, hasProgressed, retryMs, isOwn } = await connect(post, isLeading)
      if (wants <= 0 || !isLeading()) return
      if (hasProgressed) {
        attempts = 0
        isRefused = false
      }
      if (error?.resumeAfter !== undefined) cursor = error.resumeAfter
      else if (error?.code === 'SUBSCRIPTION_CURSOR_EXPIRED' || error?.code === 'BAD_USER_INPUT') {
        cursor = undefined
      } else if (error?.code === 'UNAUTHENTICATED' && !isRefused) {
        // The token may have expired on its way; the next one is asked for.
        isRefused = true
        continue
      } else if (error && !passing(error)) throw error
      if (attempts >= maxAttempts) throw error ?? networkError()
      if (!isOwn) {
        connection.set({ status: 'waiting' })
        await pause(retryMs ?? error?.retryAfterMs ?? backoffMs(attempts, platform.random))
        if (wants <= 0 || !isLeading()) return
      }
      attempts += 1
    }
  }

  async function connect(
    post: (message: TabMessage) => void,
    isLeading: () => boolean,
  ): Promise<Ending> {
    const headers = await options.headers()
    if (wants <= 0 || !isLeading()) return { hasProgressed: false }
    const { keepAliveMs = 0 } = last ?? {}
    return await new Promise((resolve) => {
      const begunAt = platform.now()
      let aliveAt = begunAt
      let postedAt = begunAt
      let hasProgressed = false
      let retryMs: number | undefined
      let stopTimer = () => {}
      let isOver = false
      const end = (error?: ChatError, isOwn = false) => {
        if (isOver) return
        isOver = true
        stopTimer()
        stream.close()
        hasProgressed ||= aliveAt - begunAt > keepAliveMs
        resolve({ error, hasProgressed, retryMs, isOwn })
      }
      const stream = transport.subscribe<{ readonly replies: ReplyEvent }>(
        { url, headers, operation: { query, variables: { after: cursor } } },
        {
          alive() {
            aliveAt = platform.now()
            if (connection.snapshot().status !== 'open') connection.set({ status: 'open' })
            if (aliveAt - postedAt < keepAliveMs / 2) return
            postedAt = aliveAt
            post({})
          },
          next({ data, errors }) {
            if (!data) return end(responseError(errors))
            hasProgressed = true
            post({ event: data.replies })
            take(data.replies)
          },
          retry: (ms) => (retryMs = ms),
          end: (error) => end(error),
        },
      )
      interrupt = () => end(undefined, true)
      notice = (isNewNetwork) => {
        const silentMs = platform.now() - aliveAt
        if (isNewNetwork || silentMs > keepAliveMs * 1.5) interrupt()
        else if (silentMs > keepAliveMs / 4) stream.ping?.()
      }
      const watch = () => {
        stopTimer = platform.timer(keepAliveMs / 2, () => {
          notice(false)
          if (!isOver) watch()
        })
      }
      watch()
    })
  }

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const stop = platform.timer(ms, resolve)
      interrupt = () => {
        stop()
        resolve()
      }
      notice = interrupt
    })

  function stop(): void {
    sharing?.leave()
    interrupt()
  }

  return {
    connection,
    position,
    close() {
      wants = -Infinity
      stop()
    },
    wake(isNewNetwork) {
      notice(isNewNetwork)
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
