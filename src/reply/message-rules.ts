import type { AssistantInfo } from '../domain.ts'
import { InvalidInputError, NotSupportedError } from '../errors.ts'
import type { SendMessageRequest } from './acceptance.ts'

/** The platform's own limits; a sixteenth pair is the gateway's own. */
const maxMetadata = 15
const maxMetadataName = 64
const maxMetadataValue = 512

/** Whether only its assistant can say if a message may be as it is. */
export function needsAssistant({ attachmentIds, extras }: SendMessageRequest): boolean {
  return (
    attachmentIds.length > 0 ||
    Object.keys(extras.parameters).length > 0 ||
    Object.keys(extras.metadata).length > 0
  )
}

/**
 * What a message carries beside its text.
 * @throws {@link InvalidInputError} naming what the assistant does not take; {@link NotSupportedError}
 */
export function checkExtras(
  { attachmentIds, extras }: SendMessageRequest,
  assistant: AssistantInfo,
  rules: {
    readonly maxAttachments: number
    /** Parameters are texts: the assistant is a Bot. */
    readonly textsOnly: boolean
  },
): void {
  if (attachmentIds.length > 0 && !assistant.takesAttachments) {
    throw new NotSupportedError('The assistant takes no attachments.')
  }
  if (attachmentIds.length > rules.maxAttachments) {
    throw new InvalidInputError(`A message may have at most ${rules.maxAttachments} attachments.`)
  }
  if (new Set(attachmentIds).size < attachmentIds.length) {
    throw new InvalidInputError('An attachment is named twice.')
  }
  for (const [name, value] of Object.entries(extras.parameters)) {
    if (!assistant.messageParameters.includes(name)) {
      throw new InvalidInputError(`The assistant takes no parameter "${name}".`)
    }
    if (rules.textsOnly && typeof value !== 'string') {
      throw new InvalidInputError(`The parameter "${name}" must be a text.`)
    }
  }
  const metadata = Object.entries(extras.metadata)
  if (metadata.length > maxMetadata) {
    throw new InvalidInputError(`A message may have at most ${maxMetadata} metadata entries.`)
  }
  for (const [name, value] of metadata) {
    if (!assistant.messageMetadata.includes(name) || !isWithin(name, maxMetadataName)) {
      throw new InvalidInputError(`The assistant takes no metadata "${name}".`)
    }
    if (!isWithin(value, maxMetadataValue)) {
      throw new InvalidInputError(
        `The metadata "${name}" must have 1 to ${maxMetadataValue} characters.`,
      )
    }
  }
}

function isWithin(text: string, maxLength: number): boolean {
  return text.length >= 1 && text.length <= maxLength
}
