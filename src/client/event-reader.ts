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
  return (text) => {
    const blocks = (rest + text).split(/\r\n\r\n|\n\n|\r\r/)
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      let type = ''
      let id: string | undefined
      const data: string[] = []
      for (const line of block.split(/[\r\n]+/)) {
        const [, field, value = ''] = /^(\w+): ?(.*)$/s.exec(line) ?? []
        if (field === 'event') type = value
        if (field === 'data') data.push(value)
        if (field === 'id') id = value
        if (field === 'retry') retry(Number(value))
      }
      if (data.length > 0) event({ type, data: data.join('\n'), id })
    }
  }
}
