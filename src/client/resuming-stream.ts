import { type ChatError, networkError, responseError } from './chat-error.ts'
import type { Platform } from './platform.ts'
import { backoffMs, type Surroundings } from './requests.ts'
import { type DataResult, hasData, type Operation } from './transport.ts'

/** What a stream is opened with, asked for before each connection. */
export interface StreamStart {
  readonly operation: Operation
  /** The longest time that the gateway stays silent. */
  readonly keepAliveMs: number
}

export interface StreamReader<Data> {
  /** Whether the stream is to go on. */
  readonly isWanted: () => boolean
  /** Without an end of its own, the stream goes on when the gateway says that it is complete. */
  readonly isEndless?: boolean
  /** Returns undefined to end the stream. */
  readonly start: () => Promise<StreamStart | undefined>
  /** Called for all bytes that arrive. */
  readonly alive: () => void
  /** Called when the connection is lost, until the next one is open. */
  readonly waiting: () => void
  readonly next: (result: DataResult<Data>, cursor: string | undefined) => void
  /** Called with the position to go on after, or without one if the gateway does not take the one it was given. */
  readonly moveTo: (cursor: string | undefined, error: ChatError) => void
}

export interface ResumingStream {
  /** Resolves when the stream is complete or not wanted any more. Rejects when it has ended for good. */
  readonly ended: Promise<void>
  /** Ends the present connection or pause at once. */
  readonly interrupt: () => void
  /** The page is back, or the network is another. */
  readonly notice: (isNewNetwork: boolean) => void
}

interface Ending {
  readonly error?: ChatError | undefined
  readonly isComplete?: boolean
  readonly hasProgressed?: boolean
  readonly retryMs?: number | undefined
  /** The client itself has ended it, so there is nothing to wait for. */
  readonly isOwn?: boolean
}

/** What has happened is not known, so it may be tried again. */
const isPassing = (error: ChatError) => error.retryable || error.code === 'INTERNAL_SERVER_ERROR'

/** A stream that is opened again and again, each time after the last whole event, until it is complete. */
export function openResumingStream<Data>(
  surroundings: Surroundings,
  reader: StreamReader<Data>,
): ResumingStream {
  const { platform, maxAttempts } = surroundings
  /** Ends what is waited for now: a connection or a pause. */
  let interrupt = () => {}
  let notice = (_isNewNetwork: boolean) => {}

  async function run(): Promise<void> {
    let isRefused = false
    for (let attempts = 0; ;) {
      const ending = await connect()
      if (!ending || !reader.isWanted()) return
      const { error, isComplete, hasProgressed, retryMs, isOwn } = ending
      if (isComplete && !reader.isEndless) return
      if (hasProgressed) {
        attempts = 0
        isRefused = false
      }
      if (isOwn) continue
      if (error?.resumeAfter !== undefined) reader.moveTo(error.resumeAfter, error)
      else if (error?.code === 'SUBSCRIPTION_CURSOR_EXPIRED' || error?.code === 'BAD_USER_INPUT') {
        reader.moveTo(undefined, error)
      } else if (error?.code === 'UNAUTHENTICATED' && !isRefused) {
        // The token may have expired on its way; the next one is asked for.
        isRefused = true
        continue
      } else if (error && !isPassing(error)) throw error
      if (attempts >= maxAttempts) throw error ?? networkError()
      reader.waiting()
      await pause(platform, retryMs ?? error?.retryAfterMs ?? backoffMs(attempts, platform.random))
      if (!reader.isWanted()) return
      attempts += 1
    }
  }

  /** Returns undefined for a stream that is not to be opened. */
  async function connect(): Promise<Ending | undefined> {
    const started = await reader.start()
    const headers = await surroundings.headers()
    if (!started || !reader.isWanted()) return undefined
    return await listen(started, headers)
  }

  function listen(
    { operation, keepAliveMs }: StreamStart,
    headers: Readonly<Record<string, string>>,
  ): Promise<Ending> {
    return new Promise((resolve) => {
      const begunAt = platform.now()
      let aliveAt = begunAt
      let hasProgressed = false
      let retryMs: number | undefined
      let stopTimer = () => {}
      let isOver = false
      const end = (ending: Ending) => {
        if (isOver) return
        isOver = true
        stopTimer()
        stream.close()
        hasProgressed ||= aliveAt - begunAt > keepAliveMs
        resolve({ hasProgressed, retryMs, ...ending })
      }
      const stream = surroundings.transport.subscribe<Data>(
        { url: surroundings.url, headers, operation },
        {
          alive() {
            aliveAt = platform.now()
            reader.alive()
          },
          next(result, cursor) {
            if (!hasData(result)) return end({ error: responseError(result.errors) })
            hasProgressed = true
            reader.next(result, cursor)
          },
          complete: () => end({ isComplete: true }),
          retry: (ms) => (retryMs = ms),
          end: (error) => end({ error }),
        },
      )
      interrupt = () => end({ isOwn: true })
      notice = (isNewNetwork) => {
        const silentMs = platform.now() - aliveAt
        if (isNewNetwork) interrupt()
        else if (silentMs > keepAliveMs * 1.5) end({})
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

  const pause = ({ timer }: Platform, ms: number) =>
    new Promise<void>((resolve) => {
      const stop = timer(ms, resolve)
      interrupt = () => {
        stop()
        resolve()
      }
      notice = interrupt
    })

  return {
    ended: run(),
    interrupt: () => interrupt(),
    notice: (isNewNetwork) => notice(isNewNetwork),
  }
}
