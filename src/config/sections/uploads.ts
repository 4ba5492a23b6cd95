import { z } from 'zod'

const mediaType = z.string().regex(/^[a-z0-9.+-]+\/(\*|[a-z0-9.+-]+)$/, {
  error: 'must be a media type such as image/png or image/*',
})

/** The largest size of a file is in `limits`. */
export const uploadsSchema = z
  .strictObject({
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
      ])
      .meta({
        description: 'The accepted media types, such as `image/png`, or `image/*` for all images.',
      }),
  })
  .meta({ description: 'The files that sessions may upload.' })

export type Uploads = Readonly<{ mediaTypes: readonly string[] }>
