/** A message that carries nothing beside its text. */
export const plain = { attachments: [], extras: { parameters: {}, metadata: {} } } as const
