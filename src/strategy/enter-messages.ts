import type { EnterFile, EnterMessage } from '../coze/message-content.ts'
import type { Message, QuestionField } from '../domain.ts'
import type { RunKeys } from './keys.ts'
import type { StartRequest, UpstreamFile } from './strategy.ts'

/** What is sent: the last messages of the history that fit, then the user's own. */
export function enterMessages(
  { history, text }: Pick<StartRequest, 'history' | 'text'>,
  { historyMetaData }: Pick<RunKeys, 'historyMetaData'>,
  own: {
    readonly metaData: Readonly<Record<string, string>>
    readonly files?: readonly UpstreamFile[]
    readonly imageUrls?: readonly string[]
  },
  options: { readonly max: number; readonly takes: SeedForm },
): readonly EnterMessage[] {
  const older = seedsOf(history, options).map((seed): EnterMessage => {
    return { ...seed, metaData: historyMetaData }
  })
  const { metaData, files = [], imageUrls = [] } = own
  const images = imageUrls.map((url) => ({ type: 'image', url }) as const)
  return [...older, { role: 'user', text, files: [...files.map(enterFile), ...images], metaData }]
}

/** How older messages are sent. `messages`: each as it was. `transcript`: all as one message of the user. */
export type SeedForm = 'messages' | 'transcript'

/** The older messages that are sent along, oldest first. */
export function seedsOf(
  history: readonly Message[],
  { max, takes }: { readonly max: number; readonly takes: SeedForm },
): readonly Pick<EnterMessage, 'role' | 'text'>[] {
  // A message without content is refused.
  const older = history.filter(({ text }) => text !== '').slice(1 - max)
  switch (takes) {
    case 'messages':
      return older.map(({ role, text }) => ({ role: role === 'USER' ? 'user' : 'assistant', text }))
    case 'transcript': {
      if (older.length === 0) return []
      const lines = older.map(({ role, text }) => `${role === 'USER' ? 'I' : 'You'} said: ${text}`)
      return [{ role: 'user', text: [transcriptHead, ...lines].join('\n\n') }]
    }
  }
}

/** A stored message is such a transcript, and was not written by the user. */
export function isTranscript(text: string): boolean {
  return text.startsWith(`${transcriptHead}\n\n`)
}

const transcriptHead = 'What was said in this conversation so far:'

function enterFile({ upstreamId: fileId, mediaType }: UpstreamFile): EnterFile {
  const [kind] = mediaType.toLowerCase().split('/')
  return { type: kind === 'image' || kind === 'audio' ? kind : 'file', fileId }
}

/**
 * The answer to a form as Studio reads it: one line `name:value` for each field, in which every space counts. Taken are a
 * JSON object, lines with a space after the colon, and the bare value of a form with one field.
 */
export function formLines(text: string, fields: readonly QuestionField[]): string {
  const values = readObject(text) ?? readLines(text, fields)
  const [only, ...more] = fields
  if (values === undefined) {
    return only === undefined || more.length > 0 ? text : lineOf(only.name, text)
  }
  return values.map(([name, value]) => lineOf(name, value)).join('\n')
}

type Values = readonly (readonly [name: string, value: string])[]

function readObject(text: string): Values | undefined {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined
  return Object.entries(given).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
}

/** Undefined: it does not begin with the name of a field. A line without one belongs to the line before it. */
function readLines(text: string, fields: readonly QuestionField[]): Values | undefined {
  const names = new Set(fields.map(({ name }) => name))
  const values: [string, string][] = []
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim()
    const last = values.at(-1)
    if (names.has(name)) values.push([name, line.slice(colon + 1)])
    else if (last === undefined) return undefined
    else last[1] += ` ${line}`
  }
  return values
}

/** A value stays on its line. */
function lineOf(name: string, value: string): string {
  return `${name}:${value.replaceAll(/\s*[\r\n]+\s*/g, ' ').trim()}`
}
