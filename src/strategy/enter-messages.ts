import type { EnterMessage } from '../coze/workflow-chat.ts'
import type { RunKeys } from './keys.ts'
import type { StartRequest } from './strategy.ts'

/** What is sent: the last messages of the history that fit, then the user's own. */
export function enterMessages(
  { history, text }: StartRequest,
  { metaData, historyMetaData }: RunKeys,
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
  return [...older, { role: 'user', text, metaData }]
}
