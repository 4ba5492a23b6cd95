import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { ApiError } from './errors.ts'

/** The parsed JSON body. Undefined if there is none. @throws {ApiError} 4000 */
export async function readJson(req: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  // The refusal of a body that is too large needs the connection.
  const pieces: AsyncIterable<Uint8Array> = req.iterator({ destroyOnReturn: false })
  for await (const chunk of pieces) {
    size += chunk.length
    if (size > maxBytes) throw new ApiError(4000, 'Request parameter error: body too large')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text.trim() === '') return undefined
  try {
    return parseWithoutNulls(text)
  } catch (cause) {
    throw new ApiError(4000, 'Request parameter error: body is not JSON', { cause })
  }
}

/** Parses JSON in which a field that is `null` is a field that is absent. @throws {SyntaxError} */
export function parseWithoutNulls(text: string): unknown {
  const value: unknown = JSON.parse(text, function (this: unknown, _key, field: unknown) {
    return field === null && !Array.isArray(this) ? undefined : field
  })
  return value
}

/** `checkMetaData` checks its limits. */
export const metaDataSchema = z.record(z.string(), z.string()).optional()

/** An id that may be left out. The empty string counts as left out, as it does in Go. */
export const optionalIdSchema = z
  .string()
  .optional()
  .transform((id) => id || undefined)

/** 1024 is the API's own channel. */
export const connectorIdSchema = optionalIdSchema.transform((id) => id ?? '1024')

/** A message of a request (docs/coze-platform.md#workflow-chat). */
export const enterMessageSchema = z.object({
  role: z.enum(['user', 'assistant']),
  type: z.string().optional(),
  content: z.string().optional(),
  content_type: z.string().optional(),
  meta_data: metaDataSchema,
})

export type SentMessage = z.output<typeof enterMessageSchema>

const objectStringSchema = z.array(
  z.object({
    type: z.enum(['text', 'image', 'file', 'audio']),
    text: z.string().optional(),
    file_id: z.string().optional(),
    file_url: z.string().optional(),
  }),
)

/** @throws {ApiError} 4000 naming the first bad field. */
export function parseRequest<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ApiError(4000, `Request parameter error: ${issue?.path.join('.')} ${issue?.message}`)
}

/** At most 16 pairs; keys of 1 to 64 and values of 1 to 512 characters. @throws {ApiError} 4003 */
export function checkMetaData(metaData: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(metaData)
  const fits = ([key, value]: [string, string]) =>
    key.length >= 1 && key.length <= 64 && value.length >= 1 && value.length <= 512
  if (pairs.length > 16 || !pairs.every(fits)) throw new ApiError(4003, 'meta_data over limit')
}

/** The text of a message, or the text parts of an `object_string`. */
export function textOf(message: {
  readonly content?: string | undefined
  readonly content_type?: string | undefined
}): string {
  if (message.content_type !== 'object_string') return message.content ?? ''
  return partsOf(message)
    .flatMap((part) => part.text ?? [])
    .join('\n')
}

/** The addresses of the images that a message carries. */
export function imagesOf(message: SentMessage): readonly string[] {
  if (message.content_type !== 'object_string') return []
  return partsOf(message).flatMap((part) => part.file_url ?? [])
}

/** The ids of the files that a message carries. */
export function filesOf(message: SentMessage): readonly string[] {
  if (message.content_type !== 'object_string') return []
  return partsOf(message).flatMap((part) => part.file_id ?? [])
}

function partsOf({ content }: { readonly content?: string | undefined }) {
  return parseRequest(objectStringSchema, parseContent(content ?? ''))
}

function parseContent(text: string): unknown {
  try {
    return parseWithoutNulls(text)
  } catch (cause) {
    throw new ApiError(4000, 'Request parameter error: not JSON', { cause })
  }
}
