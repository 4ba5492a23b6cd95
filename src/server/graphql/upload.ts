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

/** A request with a file: what it asks, while the file is still on its way. */
export interface MultipartRequest {
  readonly params: GraphParams
  /** Reads away what nobody has read, so that the client gets to see the answer. Never rejects. */
  finish(): Promise<void>
}

export function isMultipart({ method, headers }: HttpRequest): boolean {
  return method === 'POST' && /^multipart\/form-data\b/i.test(headers.get('content-type') ?? '')
}

/**
 * Reads a GraphQL multipart request up to its file, of which there is one, in one place.
 * @see https://github.com/jaydenseric/graphql-multipart-request-spec
 * @throws {@link ForbiddenError} {@link BadRequestError} {@link TooLargeError}
 */
export async function readMultipart(
  request: HttpRequest,
  limits: Pick<Limits, 'maxBodyBytes' | 'maxUploadBytes'>,
  options: ParamsOptions,
): Promise<MultipartRequest> {
  const { headers } = request
  // A page may send a form to any site unasked; a header of its own makes its browser ask us first.
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

/** Where the file of this part goes: `{ "0": ["variables.file"] }`. @throws {@link BadRequestError} */
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

/** Only where the variables say null: a file replaces nothing. @throws {@link BadRequestError} */
function placeFile(params: GraphParams, path: readonly string[], file: FileUpload): void {
  const last = path.at(-1) ?? ''
  let place: unknown = params
  for (const name of path.slice(0, -1)) place = own(place, name)
  const isFree = path[0] === 'variables' && path.length > 1 && own(place, last) === null
  if (!isFree) throw new BadRequestError('"map" must name a variable that is null.')
  Object.assign(Object(place), { [last]: file })
}

/** A member that an object or a list has itself, and does not inherit. */
function own(holder: unknown, name: string): unknown {
  const members: Record<string, unknown> = Object(holder)
  return Object.hasOwn(members, name) ? members[name] : undefined
}
