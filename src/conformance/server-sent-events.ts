import { type Observation, observePayload } from './observation.ts'

/** Text of an event stream in, observations out. What was cut off in the middle of an event never shows. */
export function createEventParser(): (text: string) => readonly Observation[] {
  let rest = ''
  return (text) => {
    const blocks = (rest + text).split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    return blocks.flatMap(observeBlock)
  }
}

function observeBlock(block: string): readonly Observation[] {
  const fields = block.split(/\r?\n/).map((line) => {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    return { name, value }
  })
  const valueOf = (wanted: string) => fields.findLast(({ name }) => name === wanted)?.value
  const retry = valueOf('retry')
  if (retry !== undefined) return [{ kind: 'retry', ms: Number(retry) }]
  const event = valueOf('event')
  if (event === 'complete') return [{ kind: 'complete' }]
  if (event !== 'next') return fields.some(({ name }) => name === '') ? [{ kind: 'alive' }] : []
  const names = fields.map(({ name }) => name)
  const data = fields.filter(({ name }) => name === 'data').map(({ value }) => value)
  const isCursorLast = names.lastIndexOf('data') < names.lastIndexOf('id') || !names.includes('id')
  return [observePayload(JSON.parse(data.join('\n')), { cursor: valueOf('id'), isCursorLast })]
}
