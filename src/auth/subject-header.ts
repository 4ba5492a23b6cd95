import { BadRequestError } from '../errors.ts'
import { isIdentifier } from './identifier.ts'

/** Names the user for whom a trusted backend speaks. */
export const subjectHeader = 'x-session-subject'

/**
 * The subject that `X-Session-Subject` names: its UTF-8 bytes, percent-encoded exactly as `encodeURIComponent` does.
 *
 * A header alone cannot hold every subject: HTTP trims spaces, joins doubled headers with a comma, and many clients
 * refuse what is not ASCII. Only the one canonical encoding is taken, so two header values are never one subject, and
 * a backend that forgets to encode is refused instead of letting `%61lice` in as `alice`.
 * @throws {@link BadRequestError}
 */
export function parseSubject(header: string): string {
  const subject = decode(header)
  if (subject === undefined) {
    throw new BadRequestError(
      'X-Session-Subject must be percent-encoded UTF-8, as encodeURIComponent writes it.',
    )
  }
  if (!isIdentifier(subject)) {
    throw new BadRequestError(
      'X-Session-Subject must name 1 to 256 bytes without control characters.',
    )
  }
  return subject
}

/** Undefined: a stray `%`, bytes that are not UTF-8, or another encoding than the canonical one. */
function decode(header: string): string | undefined {
  try {
    const subject = decodeURIComponent(header)
    return encodeURIComponent(subject) === header ? subject : undefined
  } catch {
    return undefined
  }
}
