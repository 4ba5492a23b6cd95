import type { FileUpload } from '../domain.ts'

/** A file of a multipart request. A class, so that nothing that JSON can say is taken for one. */
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
