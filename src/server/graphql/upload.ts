import type { Limits } from '../../config/sections/limits.ts'
import type { FileUpload } from '../../domain.ts'
import { BadRequestError, ForbiddenError } from '../../errors.ts'
import { UploadedFile } from '../../graphql/uploaded-file.ts'
import { checkParams, type GraphParams, type ParamsOptions, parseBodyJson } from './params.ts'
import { isJsonObject } from '../../lib/json-object.ts'
import { preflightHeader } from '../csrf.ts'
import { openFormStream, type FormHead } from './form-stream.ts'
import { bodyTooLarge } from '../http.ts'
import type { HttpRequest } from '../http.ts'

const maxMapLength = 1_024

/** A request with a file that is still being received. */
export interface MultipartRequest {
  readonly params: GraphParams
  /** Reads and drops the unread rest, so that the client sees the response. Never rejects. */
  finish(): Promise<void>
}

export function isMultipart({ method, headers }: HttpRequest): boolean {
  return method === 'POST' && /^multipart\/form-data\b/i.test(headers.get('content-type') ?? '')
}

/**
 * Reads a GraphQL multipart request up to its file. There is one file, at one place in the variables.
 * @see https://github.com/jaydenseric/graphql-multipart-request-spec
 * @throws {@link ForbiddenError} {@link BadRequestError} {@link TooLargeError}
 */
export async function readMultipart(
  request: HttpRequest,
  limits: Pick<Limits, 'maxBodyBytes' | 'maxUploadBytes'>,
  options: ParamsOptions,
): Promise<MultipartRequest> {
  const { headers } = request
  // A page can send a form to any site. A custom header makes its browser send a preflight request first.
  if (headers.get(preflightHeader) == null) {
    throw new ForbiddenError(`A multipart request needs the header ${preflightHeader}.`)
  }
  const maxBytes = limits.maxUploadBytes + limits.maxBodyBytes
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw bodyTooLarge(maxBytes)
  const form = openFormStream(request.readStream(), headers.get('content-type') ?? '', {
    maxFields: 2,
    maxFieldBytes: limits.maxBodyBytes,
    maxFileBytes: limits.maxUploadBytes,
    maxBytes,
  })
  const { fields, part, file } = await form.head
  const params = checkParams(parseBodyJson(fieldOf(fields, 'operations')), options)
  placeFile(params, readMap(fieldOf(fields, 'map'), part), new UploadedFile(file))
  return { params, finish: () => form.finish() }
}

/** @throws {@link BadRequestError} */
function fieldOf(fields: FormHead['fields'], name: 'operations' | 'map'): string {
  const text = fields.get(name)
  if (text === undefined) {
    throw new BadRequestError(
      `The field "${name}" is missing: "operations" and "map" come before the file, in this order.`,
    )
  }
  return text
}

/** The place in the variables for the file of this part: `{ "0": ["variables.file"] }`. @throws {@link BadRequestError} */
function readMap(text: string, part: string): readonly string[] {
  const map = text.length <= maxMapLength ? parseBodyJson(text) : undefined
  const [entry, ...others] = isJsonObject(map) ? Object.entries(map) : []
  const paths: unknown = entry?.[1]
  const [path, ...morePaths]: unknown[] = Array.isArray(paths) ? paths : []
  if (
    entry?.[0] !== part ||
    others.length > 0 ||
    typeof path !== 'string' ||
    morePaths.length > 0
  ) {
    throw new BadRequestError('"map" must give the one file one place.')
  }
  return path.split('.')
}

/** The variables must have null at that place, since a file replaces no value. @throws {@link BadRequestError} */
function placeFile(params: GraphParams, path: readonly string[], file: FileUpload): void {
  const last = path.at(-1) ?? ''
  let place: unknown = params
  for (const name of path.slice(0, -1)) place = own(place, name)
  const isFree = path[0] === 'variables' && path.length > 1 && own(place, last) === null
  if (!isFree) throw new BadRequestError('"map" must name a variable that is null.')
  Object.assign(Object(place), { [last]: file })
}

/** An own member of an object or a list, not an inherited one. */
function own(holder: unknown, name: string): unknown {
  const members: Record<string, unknown> = Object(holder)
  return Object.hasOwn(members, name) ? members[name] : undefined
}
