export interface ServerSentEvent {
  readonly type: string
  readonly data: string
  readonly id: string | undefined
}

export interface EventHandlers {
  readonly event: (event: ServerSentEvent) => void
  readonly retry: (ms: number) => void
}

/**
 * Reads server-sent events from pieces of text. Only an event whose blank line has come is handed on, so a cut in the middle
 * of one loses nothing: it comes again after the last cursor.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function createEventReader({ event, retry }: EventHandlers): (text: string) => void {
  let rest = ''
  let type = ''
  let data: string[] = []
  let id: string | undefined
  return (text) => {
    rest += text
    if (!/[\r\n]/.test(text)) return
    // A line feed may still follow a carriage return at the end.
    const end = rest.endsWith('\r') ? rest.length - 1 : rest.length
    const lines = rest.slice(0, end).split(/\r\n|\n|\r/)
    rest = (lines.pop() ?? '') + rest.slice(end)
    for (const line of lines) {
      const [, field = '', value = ''] = /^([^:]*):? ?([^]*)$/.exec(line) ?? []
      if (line === '') {
        if (data.length > 0) event({ type, data: data.join('\n'), id })
        type = ''
        data = []
        id = undefined
      } else if (field === 'event') type = value
      else if (field === 'data') data.push(value)
      else if (field === 'id') id = value
      else if (field === 'retry' && /^\d+$/.test(value)) retry(Number(value))
    }
  }
}
