import type { EnterFile, EnterMessage } from '../coze/enter-message.ts'
import type { RunKeys } from './keys.ts'
import type { StartRequest, UpstreamFile } from './strategy.ts'

/** What is sent: the last messages of the history that fit, then the user's own. */
export function enterMessages(
  { history, text }: StartRequest,
  { historyMetaData }: RunKeys,
  own: {
    readonly metaData: Readonly<Record<string, string>>
    readonly files?: readonly UpstreamFile[]
  },
  max: number,
): readonly EnterMessage[] {
  const older = history
    // A message without content is refused.
    .filter((message) => message.text !== '')
    .slice(1 - max)
    .map(({ role, text: content }): EnterMessage => {
      return {
        role: role === 'USER' ? 'user' : 'assistant',
        text: content,
        metaData: historyMetaData,
      }
    })
  const { metaData, files = [] } = own
  return [...older, { role: 'user', text, files: files.map(enterFile), metaData }]
}

function enterFile({ upstreamId: fileId, mediaType }: UpstreamFile): EnterFile {
  const [kind] = mediaType.toLowerCase().split('/')
  return { type: kind === 'image' || kind === 'audio' ? kind : 'file', fileId }
}
