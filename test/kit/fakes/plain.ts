/** A message that carries nothing beside its text. */
export const plain = {
  attachments: [],
  imageUrls: [],
  extras: { parameters: {}, metadata: {} },
} as const
