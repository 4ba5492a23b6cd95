import type { FileUpload } from '../domain.ts'

/** A file of a multipart request. It is a class, so that no JSON value can be taken for a file. */
export class UploadedFile implements FileUpload {
  readonly name: string
  readonly mediaType: string
  readonly content: AsyncIterable<Uint8Array>

  constructor({ name, mediaType, content }: FileUpload) {
    this.name = name
    this.mediaType = mediaType
    this.content = content
  }
}
