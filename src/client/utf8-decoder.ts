const damaged = '\ufffd'

/** Decodes UTF-8 that comes in pieces, some of which end within a character. For platforms without `TextDecoder`. */
export function createUtf8Decoder(): (bytes: Uint8Array) => string {
  /** The code point so far, and how many bytes of it are missing. */
  let point = 0
  let missing = 0
  return (bytes) => {
    const units: string[] = []
    for (const byte of bytes) {
      const isNext = byte >> 6 === 0b10
      if (isNext && missing > 0) {
        point = (point << 6) | (byte & 0b111111)
        missing -= 1
      } else {
        if (missing > 0) units.push(damaged)
        missing = byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
        point = isNext ? Infinity : missing > 0 ? byte & (0x3f >> missing) : byte
      }
      if (missing === 0) units.push(point > 0x10ffff ? damaged : String.fromCodePoint(point))
    }
    return units.join('')
  }
}
