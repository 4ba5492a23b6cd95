import { findString, isObject, parseJson } from './json.ts'

/** A message on its way upstream (EnterMessage, coze-api.md §4.1). */
export interface EnterMessage {
  readonly role: 'user' | 'assistant'
  readonly text: string
  /** Uploaded before. Only a Bot takes them here: a Workflow's messages are plain text. */
  readonly files?: readonly EnterFile[] | undefined
  readonly metaData?: Readonly<Record<string, string>> | undefined
}

export interface EnterFile {
  readonly type: 'image' | 'file' | 'audio'
  readonly fileId: string
}

/** The wire's form of a message; `undefined` fields vanish in JSON. */
export function enterMessage(message: EnterMessage) {
  const { role, text, files = [], metaData } = message
  return {
    role,
    type: role === 'user' ? 'question' : 'answer',
    ...(files.length === 0
      ? { content: text, content_type: 'text' }
      : { content: objectString(text, files), content_type: 'object_string' }),
    meta_data: metaData,
  }
}

/** A list of parts as JSON text (coze-api.md §8). The text is one of them even when it is empty. */
function objectString(text: string, files: readonly EnterFile[]): string {
  return JSON.stringify([
    { type: 'text', text },
    ...files.map(({ type, fileId }) => ({ type, file_id: fileId })),
  ])
}

/** The texts of such a list, joined by a blank line; and whether it has parts of another kind, or cannot be read. */
export function readObjectString(content: string): {
  readonly text: string
  readonly hasMore: boolean
} {
  const parts = parseJson(content)
  if (!Array.isArray(parts) || parts.length === 0) return { text: '', hasMore: true }
  const texts = parts.flatMap((part) => {
    const text = isObject(part) && part['type'] === 'text' ? findString(part, 'text') : undefined
    return text === undefined ? [] : [text]
  })
  return { text: texts.join('\n\n'), hasMore: texts.length < parts.length }
}
