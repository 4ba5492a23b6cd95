import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy'
import type { FileUpload } from '../../domain.ts'
import { BadRequestError, GatewayError, TooLargeError } from '../../errors.ts'

const maxHeaderBytes = 8_192
const maxHeaderPairs = 20
/** Bytes of the file that may wait for their reader. */
const waitingBytes = 65_536

export interface FormLimits {
  /** The limit of one field. */
  readonly maxFieldBytes: number
  readonly maxFields: number
  readonly maxFileBytes: number
  /** The limit of all fields together. */
  readonly maxBytes: number
}

/** All fields of a form, and its file, which is still being received. */
export interface FormHead {
  readonly fields: ReadonlyMap<string, string>
  /** The name of the file's part. */
  readonly part: string
  readonly file: FileUpload
}

export interface FormStream {
  /** Fails if the form is not fields followed by one file. */
  readonly head: Promise<FormHead>
  /** Reads and drops the unread rest, up to the limits, so that the client sees the response. Never rejects. */
  finish(): Promise<void>
}

/**
 * Reads a form of fields followed by one file. The file is not buffered: its reader sets the pace of the client. Its content
 * ends only when the whole form has ended well, so that a form that is cut short is not taken for a file.
 * @throws {@link BadRequestError} for a content type without a boundary
 */
export function openFormStream(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
  limits: FormLimits,
): FormStream {
  const parser = createParser(contentType, limits)
  const fields = new Map<string, string>()
  const head = Promise.withResolvers<FormHead>()
  const ended = Promise.withResolvers<void>()
  let content: BusboyFileStream | undefined
  let failed = false
  let isOver = false
  /** Resumes the pump that waits for the parser. */
  let proceed = () => {}
  // Those who await the fields get the failure. Until somebody does, it must not be an unhandled rejection.
  head.promise.catch(() => undefined)
  ended.promise.catch(() => undefined)

  parser
    .on('field', (name, value, _nameCut, isCut) => {
      if (isCut) fail(new TooLargeError(`A field may have at most ${limits.maxFieldBytes} bytes.`))
      else if (content || fields.has(name)) fail(malformed())
      else fields.set(name, value)
    })
    .on('file', (part, stream, name, _encoding, mediaType) => {
      content = stream
      stream.on('error', fail).on('limit', () => {
        fail(new TooLargeError(`A file may have at most ${limits.maxFileBytes} bytes.`))
      })
      head.resolve({ fields, part, file: { name, mediaType, content: contentOf(stream) } })
    })
    .on('partsLimit', () => fail(malformed()))
    .on('filesLimit', () => fail(malformed()))
    .on('fieldsLimit', () => fail(malformed()))
    .on('error', fail)
    .on('finish', () => {
      if (!content) return fail(malformed())
      ended.resolve()
      end()
    })
  void pump()

  return {
    head: head.promise,
    async finish() {
      if (failed) return
      content?.resume()
      await ended.promise.catch(() => undefined)
    },
  }

  async function* contentOf(stream: BusboyFileStream): AsyncGenerator<Uint8Array, void, undefined> {
    // A reader that stops early must not stop the parser, which would wait for it for ever.
    const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false })
    try {
      yield* chunks
    } catch (error) {
      fail(error) // the parser's error for a file that is cut short, unless a better one is known
    }
    await ended.promise
  }

  /** Never rejects. */
  async function pump(): Promise<void> {
    let bytes = 0
    try {
      for await (const chunk of body) {
        bytes += chunk.byteLength
        if (bytes > limits.maxBytes) {
          throw new TooLargeError(`The form may have at most ${limits.maxBytes} bytes.`)
        }
        await written(chunk)
        if (failed) return
      }
      parser.end()
    } catch (error) {
      fail(error)
    }
  }

  /** Resolves when the parser can take more, which needs the file's reader. At its end the parser may never say so. */
  function written(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      proceed = resolve
      parser.write(chunk, () => resolve())
      if (isOver) resolve()
    })
  }

  function end(): void {
    isOver = true
    proceed()
  }

  function fail(cause: unknown): void {
    if (failed) return
    failed = true
    const error =
      cause instanceof GatewayError
        ? cause
        : new BadRequestError('The form was cut short, or is not a valid form.', { cause })
    head.reject(error)
    ended.reject(error)
    content?.destroy(error)
    end()
  }
}

function createParser(contentType: string, limits: FormLimits): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      fileHwm: waitingBytes,
      limits: {
        fields: limits.maxFields,
        fieldSize: limits.maxFieldBytes,
        files: 1,
        fileSize: limits.maxFileBytes,
        parts: limits.maxFields + 1,
        headerPairs: maxHeaderPairs,
        headerSize: maxHeaderBytes,
      },
    })
  } catch (cause) {
    throw new BadRequestError('The content type has no boundary.', { cause })
  }
}

function malformed(): BadRequestError {
  return new BadRequestError('A multipart request must have "operations", "map" and then one file.')
}
