import type { AssistantInfo } from '../domain.ts'
import { InvalidInputError, NotSupportedError } from '../errors.ts'
import type { SendMessageRequest } from './acceptance.ts'

/** The platform's own limits; a sixteenth pair is the gateway's own. */
const maxMetadata = 15
const maxMetadataName = 64
const maxMetadataValue = 512
/** UTF-16 code units of an image's address. */
const maxUrlLength = 2_048
const imageUrlsField = ['imageUrls']

/** Whether only its assistant can say if a message may be as it is. */
export function needsAssistant({ attachmentIds, imageUrls, extras }: SendMessageRequest): boolean {
  return (
    attachmentIds.length > 0 ||
    imageUrls.length > 0 ||
    Object.keys(extras.parameters).length > 0 ||
    Object.keys(extras.metadata).length > 0
  )
}

/**
 * What a message carries beside its text.
 * @throws {@link InvalidInputError} naming what the assistant does not take; {@link NotSupportedError}
 */
export function checkContent(
  { attachmentIds, imageUrls, extras }: SendMessageRequest,
  assistant: AssistantInfo,
  rules: {
    readonly maxAttachments: number
    /** Parameters are texts. */
    readonly textsOnly: boolean
  },
): void {
  if (attachmentIds.length > 0 && !assistant.acceptsAttachments) {
    throw new NotSupportedError('The assistant takes no attachments.')
  }
  if (imageUrls.length > 0 && assistant.imageHosts.length === 0) {
    throw new NotSupportedError('The assistant takes no images by URL.', { field: imageUrlsField })
  }
  if (attachmentIds.length + imageUrls.length > rules.maxAttachments) {
    throw new InvalidInputError(
      `A message may have at most ${rules.maxAttachments} attachments, images by URL included.`,
      { field: imageUrls.length > 0 ? imageUrlsField : ['attachmentIds'] },
    )
  }
  if (new Set(attachmentIds).size < attachmentIds.length) {
    throw new InvalidInputError('An attachment is listed twice.', { field: ['attachmentIds'] })
  }
  for (const [index, url] of imageUrls.entries()) {
    checkImageUrl(url, assistant, [...imageUrlsField, String(index)])
  }
  checkParameters(extras.parameters, assistant, rules.textsOnly)
  checkMetadata(extras.metadata, assistant)
}

/** The gateway never fetches an image: the platform does, from a host that the operator has named. */
function checkImageUrl(
  text: string,
  { imageHosts }: AssistantInfo,
  field: readonly string[],
): void {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'https:' || text.length > maxUrlLength) {
    throw new InvalidInputError(
      `"imageUrls" must be https URLs of at most ${maxUrlLength} characters.`,
      { field },
    )
  }
  const { hostname, port, username, password } = url
  const isPlainOrigin = port === '' && username === '' && password === ''
  if (!isPlainOrigin || !imageHosts.some((host) => matches(hostname, host))) {
    throw new InvalidInputError('The assistant takes no images from this host.', { field })
  }
}

/** `*.example.com` stands for every host below `example.com`. */
function matches(hostname: string, host: string): boolean {
  return host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host
}

function checkParameters(
  parameters: SendMessageRequest['extras']['parameters'],
  assistant: AssistantInfo,
  textsOnly: boolean,
): void {
  for (const [name, value] of Object.entries(parameters)) {
    if (!assistant.parameterNames.includes(name)) {
      throw new InvalidInputError(`The assistant takes no parameter "${name}".`, {
        field: ['parameters'],
      })
    }
    if (textsOnly && typeof value !== 'string') {
      throw new InvalidInputError(`The parameter "${name}" must be a text.`, {
        field: ['parameters'],
      })
    }
  }
}

function checkMetadata(
  metadata: SendMessageRequest['extras']['metadata'],
  assistant: AssistantInfo,
): void {
  const pairs = Object.entries(metadata)
  if (pairs.length > maxMetadata) {
    throw new InvalidInputError(`A message may have at most ${maxMetadata} metadata entries.`, {
      field: ['metadata'],
    })
  }
  for (const [name, value] of pairs) {
    if (!assistant.metadataNames.includes(name) || !isWithin(name, maxMetadataName)) {
      throw new InvalidInputError(`The assistant takes no metadata "${name}".`, {
        field: ['metadata'],
      })
    }
    if (!isWithin(value, maxMetadataValue)) {
      throw new InvalidInputError(
        `The metadata "${name}" must have 1 to ${maxMetadataValue} characters.`,
        { field: ['metadata'] },
      )
    }
  }
}

function isWithin(text: string, maxLength: number): boolean {
  return text.length >= 1 && text.length <= maxLength
}
