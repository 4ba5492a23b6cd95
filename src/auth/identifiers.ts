const maxBytes = 256

/** Matches invisible text: spaces of every kind, and characters without a glyph. */
const blank = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800\ufeff]*$/u

/**
 * Whether a claim may identify a caller: text that is not blank, at most 256 bytes, no control characters. A faulty sign-in
 * writes blank claims for users that it has lost, and all of them would be one caller.
 * Nothing is trimmed or folded, so two callers meet only if their claims are equal byte for byte;
 * lone surrogates are refused, since they have no bytes in UTF-8.
 */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    !blank.test(value) &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value) &&
    Buffer.byteLength(value) <= maxBytes
  )
}

/** The rule of `isIdentifier`, in words for the log. */
export const usableIdentifier = `text of 1 to ${maxBytes} bytes, not blank, without control characters`

/** Whether a claim may be a `session_name`: 1 to 64 visible ASCII characters, which no server trims or truncates. */
export function isSessionName(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value)
}
