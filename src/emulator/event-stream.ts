import type { ServerResponse } from 'node:http'
import { type Fault, type FaultOf, findFault } from './faults.ts'
import type { RandomBytes } from './ids.ts'
import { createBody } from './response.ts'
import type { Hold, Holds } from './synchronization.ts'

export interface NamedEvent {
  readonly name: string
  /** A string is written as it is. */
  readonly data: object | string
}

/** An event of a chat stream, or raw text that takes its place. */
export type WireEvent = NamedEvent | { readonly text: string }

/** How a platform writes events as bytes. */
export interface PlatformFraming {
  /** What stands behind the colon of a field's name. */
  readonly space: '' | ' '
  /** The id of the first event. Undefined: events have no ids. */
  readonly firstId: number | undefined
  /** Whether `<`, `>` and `&` are written as escapes. */
  readonly escapesHtml: boolean
  /** The head fields beside the content type. */
  readonly headers: Readonly<Record<string, string>>
}

export interface PlatformStream {
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal
  /** Waits while the client's socket is full. Does nothing once the client has gone. */
  send(event: WireEvent): Promise<void>
  end(): Promise<void>
}

export function isNamed(event: WireEvent): event is NamedEvent {
  return 'name' in event
}

export function isDelta(event: WireEvent): event is NamedEvent {
  return isNamed(event) && event.name === 'conversation.message.delta'
}

/** Whether an event is the last one of a stream, on any platform. */
export function isDone(event: NamedEvent): boolean {
  return event.name === 'done' || event.name === 'conversation.stream.done'
}

export function openPlatformStream(
  res: ServerResponse,
  framing: PlatformFraming,
  faults: readonly Fault[],
  { holds, random }: { readonly holds: Holds; readonly random: RandomBytes },
): PlatformStream {
  const stall = findFault(faults, 'stall')
  const cut = findFault(faults, 'cut')
  const frame = createFramer(framing, findFault(faults, 'framing'))
  const body = createBody(res, faults, random)
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  if (res.closed) gone.abort()

  if (findFault(faults, 'lostReply')) {
    res.destroy()
  } else {
    res.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      ...framing.headers,
    })
    res.flushHeaders()
  }

  let deltas = 0
  let hold: Hold | undefined
  let heldBytes: Buffer[] = []

  async function release() {
    const late = heldBytes
    heldBytes = []
    for (const bytes of late) await body.write(bytes)
  }

  return {
    gone: gone.signal,
    async send(event) {
      if (gone.signal.aborted) return
      const bytes = Buffer.from(frame(event))
      if (cut?.afterDeltas !== undefined && deltas >= cut.afterDeltas) {
        const half = cut.where === 'mid-event' ? Math.ceil(bytes.length / 2) : 0
        await body.write(bytes.subarray(0, half))
        await body.cut()
        gone.abort()
        return
      }
      if (stall && !hold && deltas >= stall.afterDeltas) hold = holds.add(stall.name)
      if (isDelta(event)) deltas += 1
      if (hold && !hold.isReleased) {
        heldBytes.push(bytes)
        return
      }
      await release()
      await body.write(bytes)
    },
    async end() {
      await hold?.wait(gone.signal)
      await release()
      body.end()
    },
  }
}

function createFramer(
  { space, firstId, escapesHtml }: PlatformFraming,
  other: FaultOf<'framing'> | undefined,
): (event: WireEvent) => string {
  const escaped = (json: string) => (escapesHtml ? escapeHtml(json) : json)
  const idLine = (count: number) => (firstId === undefined ? '' : `id:${space}${firstId + count}\n`)
  let count = 0
  return (event) => {
    if (!isNamed(event)) return event.text
    const json = typeof event.data === 'string' ? event.data : escaped(JSON.stringify(event.data))
    if (other === undefined) {
      const id = idLine(count)
      count += 1
      return `${id}event:${space}${event.name}\ndata:${space}${json}\n\n`
    }

    const lines = [`event:${space}${event.name}`]
    if (other.comments) lines.unshift(': keep-alive', `: ${count}`)
    if (other.ids) lines.unshift(`id:${space}${count}`)
    const spread = other.multiline && typeof event.data === 'object'
    const text = spread ? JSON.stringify(event.data, undefined, 1) : json
    for (const line of text.split('\n')) lines.push(`data:${space}${line}`)
    const bom = other.bom && count === 0 ? '\u{FEFF}' : ''
    count += 1
    return bom + [...lines, '', ''].join(other.newline)
  }
}

/** The escapes that Go's standard library writes in JSON. */
function escapeHtml(json: string): string {
  return json.replaceAll(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
