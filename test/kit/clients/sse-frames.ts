/** One complete event of an SSE stream. Comments are frames too, so that keep-alives can be seen. */
export interface Frame {
  readonly event?: string
  readonly id?: string
  readonly data?: string
  readonly retry?: string
  readonly comment?: string
}

/** Bytes in, complete frames out: what was cut off in the middle of a frame never shows. LF and CRLF only. */
export function createFrameParser(): (chunk: Uint8Array) => readonly Frame[] {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  return (chunk) => {
    rest += decoder.decode(chunk, { stream: true })
    const blocks = rest.split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    return blocks.map(parseFrame)
  }
}

function parseFrame(block: string): Frame {
  const frame: { -readonly [Key in keyof Frame]: Frame[Key] } = {}
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (name === '' && line !== '') frame.comment = value
    if (name === 'event') frame.event = value
    if (name === 'id') frame.id = value
    if (name === 'retry') frame.retry = value
    if (name === 'data') frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`
  }
  return frame
}
