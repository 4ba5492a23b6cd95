import type { Question, QuestionField } from '../domain.ts'
import { findString, tryParseJson, type JsonObject } from './json.ts'
import { isJsonObject } from '../lib/json-object.ts'

/** A message on its way upstream (EnterMessage, docs/coze-platform.md#workflow-chat). */
export interface EnterMessage {
  readonly role: 'user' | 'assistant'
  readonly text: string
  /** Only a Bot takes them here: a Workflow's messages are plain text. */
  readonly files?: readonly EnterFile[] | undefined
  readonly metaData?: Readonly<Record<string, string>> | undefined
}

/** A file that was uploaded, or an image that the platform fetches itself. */
export type EnterFile =
  | { readonly type: 'image' | 'file' | 'audio'; readonly fileId: string }
  | { readonly type: 'image'; readonly url: string }

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

/** A list of parts as JSON text (docs/coze-platform.md#conversations-messages-files). The text is one of them even when it is empty. */
function objectString(text: string, files: readonly EnterFile[]): string {
  return JSON.stringify([
    { type: 'text', text },
    ...files.map((file) =>
      'url' in file
        ? { type: file.type, file_url: file.url }
        : { type: file.type, file_id: file.fileId },
    ),
  ])
}

/** The texts of such a list, joined by a blank line; and whether it has parts of another kind, or cannot be read. */
export function readObjectString(content: string): {
  readonly text: string
  readonly hasMore: boolean
} {
  const parts = tryParseJson(content)
  if (!Array.isArray(parts) || parts.length === 0) return { text: '', hasMore: true }
  const texts = parts.flatMap((part) => {
    const text =
      isJsonObject(part) && part['type'] === 'text' ? findString(part, 'text') : undefined
    return text === undefined ? [] : [text]
  })
  return { text: texts.join('\n\n'), hasMore: texts.length < parts.length }
}

/**
 * The question that a card asks (docs/coze-platform.md#questions-and-forms); undefined for a card that asks nothing, or is not what a card should
 * be. Its parts are JSON inside JSON texts; a part that is an object already is taken as it is.
 *
 * ```
 * { x_properties: { workflow_card_info: { card_type: "QUESTION", question_card_data: { Title, Options: [{ name }] } } } }
 * { x_properties: { workflow_card_info: { card_type: "INPUT", input_card_data: [{ type, name, required }] } } }
 * ```
 */
export function decodeQuestionCard(content: string): Question | undefined {
  const card = open(content)
  if (card === undefined) return undefined
  const properties = open(card['x_properties']) ?? {}
  for (const inside of [properties['workflow_card_info'], card['data'], card]) {
    const info = open(inside)
    const question = info && decodeInfo(info)
    if (question !== undefined) return question
  }
  return undefined
}

function decodeInfo(info: JsonObject): Question | undefined {
  switch (info['card_type']) {
    case 'QUESTION': {
      const data = open(info['question_card_data']) ?? {}
      const text = findString(data, 'Title') ?? findString(data, 'title') ?? ''
      const options = openList(data['Options'] ?? data['options']).flatMap(optionName)
      if (text === '' && options.length === 0) return undefined
      return { text: text.toWellFormed(), options, fields: [] }
    }
    case 'INPUT': {
      const fields = openList(info['input_card_data']).flatMap(decodeField)
      return fields.length === 0 ? undefined : { text: '', options: [], fields }
    }
    default:
      return undefined
  }
}

function optionName(option: unknown): readonly string[] {
  const name = isJsonObject(option) ? findString(option, 'name') : option
  return typeof name === 'string' && name !== '' ? [name.toWellFormed()] : []
}

function decodeField(field: unknown): readonly QuestionField[] {
  const name = isJsonObject(field) ? findString(field, 'name') : undefined
  if (!isJsonObject(field) || name === undefined) return []
  const type = findString(field, 'type') ?? 'string'
  return [
    {
      name: name.toWellFormed(),
      type: type.toWellFormed(),
      required: field['required'] === true,
    },
  ]
}

function open(value: unknown): JsonObject | undefined {
  const opened = typeof value === 'string' ? tryParseJson(value) : value
  return isJsonObject(opened) ? opened : undefined
}

function openList(value: unknown): readonly unknown[] {
  const list = typeof value === 'string' ? tryParseJson(value) : value
  return Array.isArray(list) ? list : []
}
