import { z } from 'zod'

const mediaType = z.string().regex(/^[a-z0-9.+-]+\/(\*|[a-z0-9.+-]+)$/, {
  error: 'must be a media type such as image/png or image/*',
})

/** How large a file may be is a limit. */
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
        description: 'Media types that are accepted: `image/png`, or all of a kind, `image/*`.',
      }),
  })
  .meta({ description: 'Which files sessions may upload.' })

export type Uploads = Readonly<{ mediaTypes: readonly string[] }>
