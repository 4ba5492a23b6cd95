import { isJsonObject } from '../../lib/json-object.ts'
import { BadRequestError, UnsupportedMediaTypeError } from '../../errors.ts'
import { bodyTooLarge } from '../http.ts'
import type { Turns } from '../../lib/turns.ts'
import type { HttpRequest } from '../http.ts'

/** Levels of a request's JSON. The deepest value that the schema takes, a parameter of a message, has about 20. */
const maxJsonDepth = 64

/** A GraphQL request before its document is parsed. */
export interface GraphParams {
  /** Undefined if the extensions name a persisted document. */
  readonly query?: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string
  readonly extensions?: Record<string, unknown>
}

export interface ParamsOptions {
  /** Whether a request may name a persisted document instead of a query. */
  readonly takesIds: boolean
  /** Long requests wait for their turn before they are parsed. */
  readonly turns: Turns
}

/** A request up to this many bytes is parsed and checked without waiting: a few milliseconds of work. */
const freeBytes = 2_048
/** Parsing and checking one byte of a document can take as long as writing this many. */
const unitsPerByte = 8

/**
 * Reads the parameters of a GET or a POST. No error repeats text of the request, and at most `maxBytes` are read.
 * @throws {@link BadRequestError} {@link TooLargeError} {@link UnsupportedMediaTypeError}
 */
export async function readParams(
  request: HttpRequest,
  maxBytes: number,
  options: ParamsOptions,
): Promise<GraphParams> {
  if (request.method === 'GET') {
    await takeTurn(request.url.search.length, options)
    return checkParams(queryParams(request.url.searchParams), options)
  }
  const { headers } = request
  const encoding = headers.get('content-encoding')
  if (!request.isBodyParsed && encoding && encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaTypeError('A compressed body is not accepted.')
  }
  checkMediaType(headers.get('content-type'))
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw bodyTooLarge(maxBytes)
  const bytes = await request.readBody(maxBytes)
  await takeTurn(bytes.length, options)
  return checkParams(parseBodyJson(decodeText(bytes)), options)
}

async function takeTurn(bytes: number, { turns }: ParamsOptions): Promise<void> {
  if (bytes > freeBytes) await turns.take(bytes * unitsPerByte)
}

function queryParams(search: URLSearchParams): Record<string, unknown> {
  const json = (name: string) => {
    const text = search.get(name)
    return text === null || text === '' ? undefined : parseBodyJson(text)
  }
  return {
    query: search.get('query'),
    ...Object.fromEntries(documentIdNames.map((name) => [name, search.get(name)])),
    operationName: search.get('operationName') || undefined,
    variables: json('variables'),
    extensions: json('extensions'),
  }
}

function checkMediaType(contentType: string | null | undefined): void {
  const [type = '', ...parameters] = (contentType ?? '').toLowerCase().split(';')
  const charset = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith('charset='))
  if (type.trim() !== 'application/json') {
    throw new UnsupportedMediaTypeError('The body must be application/json.')
  }
  if (charset && !['charset=utf-8', 'charset="utf-8"', 'charset=utf8'].includes(charset)) {
    throw new UnsupportedMediaTypeError('The body must be in UTF-8.')
  }
}

/** It has no state between two texts. */
const decoder = new TextDecoder('utf-8', { fatal: true })

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new BadRequestError('The body is not UTF-8.')
  }
}

/** @throws {@link BadRequestError} without a word of the text */
export function parseBodyJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new BadRequestError('The request is not valid JSON.')
  }
  checkDepth(value)
  return value
}

/**
 * Refuses values that nest deeper than anything the schema takes, because later readers may recurse once for each level. It
 * is a loop, since recursion here would have the same fault.
 */
function checkDepth(value: unknown): void {
  let level = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxJsonDepth) {
      throw new BadRequestError(`The request may have at most ${maxJsonDepth} levels.`)
    }
    level = level.flatMap((one): unknown[] =>
      typeof one === 'object' && one !== null ? Object.values(one) : [],
    )
  }
}

/** @throws {@link BadRequestError} */
export function checkParams(
  value: unknown,
  { takesIds }: Pick<ParamsOptions, 'takesIds'>,
): GraphParams {
  if (Array.isArray(value)) throw new BadRequestError('Batches are not accepted.')
  if (!isJsonObject(value)) throw new BadRequestError('The request must be a JSON object.')
  const { query, operationName } = value
  const given = optionalObject('extensions', value['extensions'])
  const extensions = takesIds && query == null ? withDocumentId(given, value) : given
  const isNamed = takesIds && query == null && extensions?.['persistedQuery'] !== undefined
  if (!isNamed && (typeof query !== 'string' || query === '')) {
    throw new BadRequestError('"query" must be a non-empty string.')
  }
  if (operationName != null && typeof operationName !== 'string') {
    throw new BadRequestError('"operationName" must be a string.')
  }
  const variables = optionalObject('variables', value['variables'])
  return {
    ...(typeof query === 'string' && { query }),
    ...(operationName != null && { operationName }),
    ...(variables && { variables }),
    ...(extensions && { extensions }),
  }
}

/** The names of a persisted document's id: that of GraphQL over HTTP, and the two of Relay's documentation. */
const documentIdNames = ['documentId', 'doc_id', 'id'] as const

/** The id of a persisted document, by one of the names above or by the extension of Apollo. */
function withDocumentId(
  extensions: Record<string, unknown> | undefined,
  members: Record<string, unknown>,
): Record<string, unknown> | undefined {
  const name = documentIdNames.find((candidate) => members[candidate] != null)
  if (name === undefined) return extensions
  const id = members[name]
  if (typeof id !== 'string') throw new BadRequestError(`"${name}" must be a string.`)
  return { ...extensions, persistedQuery: { version: 1, sha256Hash: id } }
}

function optionalObject(name: string, value: unknown): Record<string, unknown> | undefined {
  if (value == null) return undefined
  if (!isJsonObject(value)) throw new BadRequestError(`"${name}" must be an object.`)
  return value
}
