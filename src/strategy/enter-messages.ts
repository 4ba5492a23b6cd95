import type { EnterFile, EnterMessage } from '../coze/enter-message.ts'
import type { Message } from '../domain.ts'
import type { RunKeys } from './keys.ts'
import type { StartRequest, UpstreamFile } from './strategy.ts'

/** What is sent: the last messages of the history that fit, then the user's own. */
export function enterMessages(
  { history, text }: Pick<StartRequest, 'history' | 'text'>,
  { historyMetaData }: Pick<RunKeys, 'historyMetaData'>,
  own: {
    readonly metaData: Readonly<Record<string, string>>
    readonly files?: readonly UpstreamFile[]
  },
  options: { readonly max: number; readonly takes: SeedForm },
): readonly EnterMessage[] {
  const older = seedsOf(history, options).map((seed): EnterMessage => {
    return { ...seed, metaData: historyMetaData }
  })
  const { metaData, files = [] } = own
  return [...older, { role: 'user', text, files: files.map(enterFile), metaData }]
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
