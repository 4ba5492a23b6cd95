const maxBytes = 256

/**
 * Whether a claim may tell callers apart: text, not empty, at most 256 bytes, no control characters.
 * Nothing is trimmed or folded, so two callers meet only if their claims are equal byte for byte;
 * lone surrogates are refused, for they have no bytes in UTF-8.
 */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value) &&
    Buffer.byteLength(value) <= maxBytes
  )
}

/** Whether a claim may be a `session_name`: 1 to 64 visible ASCII characters, which no server can trim or truncate. */
export function isSessionName(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value)
}
