import { ChatError } from './chat-error.ts'
import { sessionEvents } from './documents.ts'
import { type Platform, systemPlatform } from './platform.ts'
import type {
  DataResult,
  OpenStream,
  Position,
  StreamRequest,
  StreamSink,
  Transport,
} from './transport.ts'

/** Web Locks and channels between the pages of an origin. */
export interface TabTools {
  readonly locks: {
    request(
      name: string,
      options: { readonly signal?: AbortSignal; readonly steal?: boolean },
      hold: () => Promise<void>,
    ): Promise<unknown>
  }
  readonly openChannel: (name: string) => TabChannel
}

export interface TabChannel {
  postMessage(message: unknown): void
  close(): void
  addEventListener(type: 'message', listener: (event: { readonly data: TabMessage }) => void): void
}

/** What the tab that has the stream posts: a result, or only a sign of life. A tab that has just come posts neither. */
export interface TabMessage {
  /** The turn of the tab, which begins with a sign of life. */
  readonly turn?: string
  /** The position after the message. */
  readonly cursor?: unknown
  readonly result?: DataResult<never>
}

/** The right to read the stream, which the holder of the lock has. */
interface Lead {
  readonly giveUp: () => void
  /** Called when another tab has taken the lock. */
  lost: () => void
}

/** What a tab hears of the others. */
interface Line {
  readonly channel: TabChannel
  /** The turn whose messages this tab has had without a gap. */
  turn: string | undefined
  /** Messages that came while nobody listened. */
  readonly held: TabMessage[]
  listener: ((message: TabMessage) => void) | undefined
}

/** What a tab keeps between a connection and the next one, while the client pauses or reads the state. */
interface Kept {
  readonly name: string
  readonly line: Line
  readonly lead: Lead | undefined
  readonly stopTimer: () => void
}

/**
 * One stream of a session for all tabs of a browser, which opens six HTTP/1.1 connections to a host. The tab that holds a
 * lock reads the stream and posts its results to the others. When it closes, the browser gives the lock to another tab; when it is
 * silent, as a suspended tab is, another takes the lock. Without Web Locks, as on plain http, each tab has its own stream.
 */
export function shareAmongTabs(
  transport: Transport,
  tools: TabTools | undefined = browserTabs(),
  { now, random, timer }: Platform = systemPlatform,
): Transport {
  if (!tools) return transport
  const { locks, openChannel } = tools
  let kept: Kept | undefined
  let isLeaderSilent = false

  function keep(name: string, line: Line, lead: Lead | undefined, ms: number): void {
    line.listener = undefined
    if (lead) lead.lost = dropKept
    kept = { name, line, lead, stopTimer: timer(ms, dropKept) }
  }

  function dropKept(): void {
    kept?.stopTimer()
    kept?.lead?.giveUp()
    kept?.line.channel.close()
    kept = undefined
  }

  function takeUp(name: string): Pick<Kept, 'line' | 'lead'> {
    if (kept?.name === name) {
      const { line, lead, stopTimer } = kept
      kept = undefined
      stopTimer()
      return { line, lead }
    }
    dropKept()
    const channel = openChannel(name)
    const line: Line = { channel, turn: undefined, held: [], listener: undefined }
    channel.addEventListener('message', ({ data }) => {
      if (line.listener) line.listener(data)
      else line.held.push(data)
    })
    channel.postMessage({})
    return { line, lead: undefined }
  }

  function share<Data>(
    request: StreamRequest,
    viewer: Position,
    sink: StreamSink<Data>,
  ): OpenStream {
    const { url, operation } = request
    const { sessionFingerprint, keepAliveMs } = viewer
    const name = `${url} ${sessionFingerprint}`
    const { line, lead: before } = takeUp(name)
    const myTurn = String(random())
    const waiting = new AbortController()
    let lead = before
    let stream: OpenStream | undefined
    let cursor = operation.variables?.['after']
    let heardAt = now()
    let postedAt = heardAt
    let isOver = false

    const post = (result?: DataResult<Data>) => {
      postedAt = now()
      line.channel.postMessage({ turn: myTurn, cursor, ...(result && { result }) })
    }

    function leave(): void {
      isOver = true
      waiting.abort()
      stream?.close()
      lead?.giveUp()
      line.channel.close()
    }

    /** Another tab has the lock. */
    function lose(): void {
      if (isOver) return
      leave()
      sink.end()
    }

    /** The client comes again when it has paused. Until then this tab keeps what it has. */
    function pause(error: ChatError | undefined): void {
      if (isOver) return
      isOver = true
      waiting.abort()
      keep(name, line, lead, keepAliveMs)
      sink.end(error)
    }

    function hear({ turn, cursor: at, result }: TabMessage): void {
      // A tab that has just come is answered by the one that has the stream.
      if (stream && turn === undefined) post()
      if (stream || turn === undefined || isOver) return
      heardAt = now()
      sink.alive()
      if (turn !== line.turn) {
        line.turn = turn
        // Results were missed: the client reads the state, and what comes meanwhile is held.
        if (result || at !== cursor) return pause(new ChatError(isAhead))
      }
      if (!result) return
      cursor = at
      sink.next(result, String(at))
    }

    function open(): void {
      const variables = { ...operation.variables, after: cursor }
      stream = transport.subscribe<Data>(
        { ...request, operation: { ...operation, variables } },
        {
          ...sink,
          alive() {
            sink.alive()
            if (now() - postedAt > keepAliveMs / 2) post()
          },
          next(result, at) {
            cursor = at
            post(result)
            sink.next(result, at)
          },
          end: pause,
        },
      )
      post()
    }

    const hold = () =>
      new Promise<void>((giveUp) => {
        if (isOver) return giveUp()
        lead = { giveUp, lost: lose }
        open()
      })

    async function takePart(): Promise<void> {
      line.listener = hear
      if (lead) {
        lead.lost = lose
        open()
      } else if (line.turn !== undefined) sink.alive()
      line.held.splice(0).forEach(hear)
      if (isOver || lead) return
      const options = isLeaderSilent ? { steal: true } : { signal: waiting.signal }
      isLeaderSilent = false
      await locks.request(name, options, hold)
    }
    // It is rejected when this tab has left, and when another one has taken the lock.
    Promise.resolve()
      .then(takePart)
      .catch(() => (lead ?? { lost: lose }).lost())

    return {
      close() {
        if (isOver) return
        isLeaderSilent = !stream && now() - heardAt > keepAliveMs
        leave()
      },
      ping: () => stream?.ping?.(),
    }
  }

  return {
    ...transport,
    subscribe: (request, sink) =>
      request.viewer && request.operation.query === sessionEvents
        ? share(request, request.viewer, sink)
        : transport.subscribe(request, sink),
  }
}

const isAhead = {
  code: 'SUBSCRIPTION_CURSOR_EXPIRED',
  message: 'Another tab is ahead of this one.',
} as const

interface TabSurroundings {
  readonly document?: object
  readonly navigator?: { readonly locks?: TabTools['locks'] }
  readonly BroadcastChannel?: new (name: string) => TabChannel
}

function browserTabs(): TabTools | undefined {
  const { document, navigator, BroadcastChannel }: TabSurroundings = globalThis
  const locks = navigator?.locks
  if (!document || !locks || !BroadcastChannel) return undefined
  return { locks, openChannel: (name) => new BroadcastChannel(name) }
}
