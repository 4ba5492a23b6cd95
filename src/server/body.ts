import { BadRequestError, UnsupportedMediaTypeError } from '../errors.ts'
import { bodyTooLarge } from './http.ts'
import type { Incoming } from './http.ts'

/** What a GraphQL request asks, before its document is parsed. */
export interface GraphParams {
  readonly query: string
  readonly variables?: Record<string, unknown>
  readonly operationName?: string
  readonly extensions?: Record<string, unknown>
}

/**
 * Reads what a GET or a POST asks. No error repeats anything of the request, and no more than `maxBytes` are read.
 * @throws {@link BadRequestError} {@link TooLargeError} {@link UnsupportedMediaTypeError}
 */
export async function readParams(incoming: Incoming, maxBytes: number): Promise<GraphParams> {
  if (incoming.method === 'GET') return checkParams(queryParams(incoming.url.searchParams))
  const { headers } = incoming
  const encoding = headers.get('content-encoding')
  if (encoding && encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaTypeError('A compressed body is not accepted.')
  }
  checkMediaType(headers.get('content-type'))
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw bodyTooLarge(maxBytes)
  return checkParams(parseJson(decodeText(await incoming.readBody(maxBytes))))
}

function queryParams(search: URLSearchParams): Record<string, unknown> {
  const json = (name: string) => {
    const text = search.get(name)
    return text === null || text === '' ? undefined : parseJson(text)
  }
  return {
    query: search.get('query'),
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

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new BadRequestError('The body is not UTF-8.')
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes what it met.
    throw new BadRequestError('The request is not valid JSON.')
  }
}

function checkParams(value: unknown): GraphParams {
  if (Array.isArray(value)) throw new BadRequestError('Batches are not accepted.')
  if (!isObject(value)) throw new BadRequestError('The request must be a JSON object.')
  const { query, operationName } = value
  if (typeof query !== 'string' || query === '') {
    throw new BadRequestError('"query" must be a non-empty string.')
  }
  if (operationName != null && typeof operationName !== 'string') {
    throw new BadRequestError('"operationName" must be a string.')
  }
  const variables = optionalObject('variables', value['variables'])
  const extensions = optionalObject('extensions', value['extensions'])
  return {
    query,
    ...(operationName != null && { operationName }),
    ...(variables && { variables }),
    ...(extensions && { extensions }),
  }
}

function optionalObject(name: string, value: unknown): Record<string, unknown> | undefined {
  if (value == null) return undefined
  if (!isObject(value)) throw new BadRequestError(`"${name}" must be an object.`)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
