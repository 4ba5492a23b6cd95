import { BadRequestError } from '../errors.ts'
import { isIdentifier } from './identifier.ts'

/** Names the user for whom a trusted backend speaks. */
export const subjectHeader = 'x-session-subject'

/**
 * The characters that stand for themselves in a path segment or a query (RFC 3986 §3.3, §3.4): encoders differ in which of them
 * they leave alone. Not the comma: HTTP joins doubled headers with it.
 */
const encoded = /^(?:[\w.~!$&'()*+;=:@/?-]|%[0-9a-f]{2})*$/i

/**
 * The subject that `X-Session-Subject` names: its UTF-8 bytes, percent-encoded.
 *
 * A header alone cannot hold every subject: HTTP trims spaces, joins doubled headers with a comma, and many clients
 * refuse what is not ASCII. Any percent-encoding of a subject is that subject: the languages' encoders differ in which
 * characters they encode, and in the case of the digits. What is decoded is compared to the last byte, so that two
 * subjects never meet. A `+` is a plus: encoders of forms, which write a space so, do not fit.
 * @param apiKey the `id` of the key that was shown, for the log.
 * @throws {@link BadRequestError}
 */
export function parseSubject(header: string, apiKey?: string): string {
  const refusal = apiKey === undefined ? {} : { apiKey }
  const subject = decode(header)
  if (subject === undefined) {
    throw new BadRequestError(
      'X-Session-Subject must be percent-encoded UTF-8, as encodeURIComponent writes it.',
      { refusal },
    )
  }
  if (!isIdentifier(subject)) {
    throw new BadRequestError(
      'X-Session-Subject must name 1 to 256 bytes that are not blank, without control characters.',
      { refusal },
    )
  }
  return subject
}

/** Undefined: a character that must be encoded, a stray `%`, or bytes that are not UTF-8. */
function decode(header: string): string | undefined {
  if (!encoded.test(header)) return undefined
  try {
    return decodeURIComponent(header)
  } catch {
    return undefined
  }
}
