import { z } from 'zod'

/** `image/png`, or all of a kind: `image/*`. */
const mediaType = z.string().regex(/^[a-z0-9.+-]+\/(\*|[a-z0-9.+-]+)$/, {
  error: 'must be a media type such as image/png or image/*',
})

/** Which files sessions may upload; how large they may be is a limit. */
export const uploadsSchema = z.strictObject({
  /** Default: images, audio, text, PDF and office documents. */
  mediaTypes: z
    .array(mediaType)
    .min(1)
    .default([
      'image/*',
      'audio/*',
      'text/*',
      'application/pdf',
      'application/json',
      'application/msword',
      'application/vnd.ms-excel',
      'application/vnd.ms-powerpoint',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    ]),
})

export type Uploads = Readonly<{ mediaTypes: readonly string[] }>
