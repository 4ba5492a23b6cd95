import type { ServerResponse } from 'node:http'
import { createBody } from './body.ts'
import { type Fault, type FaultOf, findFault } from './faults.ts'
import type { Gates, Hold } from './gates.ts'
import type { RandomBytes } from './ids.ts'

export interface NamedEvent {
  readonly name: string
  /** A string goes on the wire as it is. */
  readonly data: object | string
}

/** An event of a chat stream, or raw text that takes its place. */
export type WireEvent = NamedEvent | { readonly text: string }

/** How events are put into bytes. */
export interface PlatformFraming {
  /** Behind the names of fields. */
  readonly space: '' | ' '
  /** The id of the first event; undefined: events have none. */
  readonly firstId: number | undefined
  /** Whether `<`, `>` and `&` are written as escapes. */
  readonly escapesHtml: boolean
  /** Beside the content type. */
  readonly headers: Readonly<Record<string, string>>
}

export interface PlatformStream {
  /** Aborts when nobody reads any more. */
  readonly gone: AbortSignal
  /** Waits while the client's socket is full; does nothing once it has gone. */
  send(event: WireEvent): Promise<void>
  end(): Promise<void>
}

export function isNamed(event: WireEvent): event is NamedEvent {
  return 'name' in event
}

export function isDelta(event: WireEvent): event is NamedEvent {
  return isNamed(event) && event.name === 'conversation.message.delta'
}

/** The end of a stream, by the names of all platforms. */
export function isDone(event: NamedEvent): boolean {
  return event.name === 'done' || event.name === 'conversation.stream.done'
}

export function openPlatformStream(
  res: ServerResponse,
  framing: PlatformFraming,
  faults: readonly Fault[],
  { gates, random }: { readonly gates: Gates; readonly random: RandomBytes },
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
  let held: Buffer[] = []

  async function release() {
    const late = held
    held = []
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
      if (stall && !hold && deltas >= stall.afterDeltas) hold = gates.enter(stall.gate)
      if (isDelta(event)) deltas += 1
      if (hold && !hold.released) {
        held.push(bytes)
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

/** As the JSON of Go's standard library has it. */
function escapeHtml(json: string): string {
  return json.replaceAll(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
