import { isHighSurrogate, sliceEnd } from '../lib/surrogate.ts'

/** Small pieces are joined once they make up so many code units: what is joined is never copied again. */
const blockLength = 4096

/**
 * A text that grows at its end and is sometimes corrected there. A change costs what it takes away and adds; a slice costs
 * what it returns, and nothing where it is just the last piece that was added.
 */
export class TextTrack {
  readonly #pieces: string[] = []
  readonly #starts: number[] = []
  /** The first piece that is not part of a block yet. */
  #loose = 0
  #length = 0
  #endsInHalf = false
  /** Undefined: it has changed since it was last asked for. */
  #value: string | undefined = ''

  get length(): number {
    return this.#length
  }

  /** The length without a first half of a surrogate pair at the end, whose second half may still come. */
  get wholeLength(): number {
    return this.#endsInHalf ? this.#length - 1 : this.#length
  }

  get value(): string {
    this.#value ??= this.#pieces.join('')
    return this.#value
  }

  /** Puts `text` in the place of all that is behind the first `offset` code units. */
  replaceFrom(offset: number, text: string): void {
    if (offset > this.#length || offset < 0) {
      throw new RangeError(`a text of ${this.#length} code units has none at ${offset}`)
    }
    if (offset < this.#length) this.#cutTo(offset)
    if (text !== '') {
      this.#pieces.push(text)
      this.#starts.push(this.#length)
      this.#length += text.length
      this.#joinLoose()
    }
    this.#value = undefined
    this.#endsInHalf = this.#endsInSurrogate()
  }

  /** The text does not change any more: it is held as one, which whoever asked for its value shares. */
  settle(): void {
    if (this.#pieces.length < 2) return
    this.#pieces.splice(0, this.#pieces.length, this.value)
    this.#starts.length = 1
    this.#loose = 1
  }

  /** Moves an offset out of a surrogate pair, towards the beginning. */
  roundDown(offset: number): number {
    if (offset <= 0 || offset > this.#length) return offset
    return isHighSurrogate(this.#unitAt(offset - 1)) ? offset - 1 : offset
  }

  /** At most `maxLength` code units from `offset` on; a surrogate pair is not cut in two. */
  slice(offset: number, maxLength: number): string {
    let index = this.#pieceAt(offset)
    const piece = this.#pieces[index] ?? ''
    const skipped = offset - (this.#starts[index] ?? 0)
    // One unit more than is wanted tells whether the end would cut a pair in two.
    const end = skipped + maxLength + 1
    let text = skipped === 0 && piece.length <= end ? piece : piece.slice(skipped, end)
    while (text.length <= maxLength && index < this.#pieces.length - 1) {
      index += 1
      text += this.#pieces[index] ?? ''
    }
    return text.length <= maxLength ? text : text.slice(0, sliceEnd(text, 0, maxLength))
  }

  #cutTo(offset: number): void {
    while (this.#length > offset) {
      const piece = this.#pieces.pop() ?? ''
      const start = this.#starts.pop() ?? 0
      this.#length = start
      if (start < offset) {
        this.#pieces.push(piece.slice(0, offset - start))
        this.#starts.push(start)
        this.#length = offset
      }
    }
    this.#loose = Math.min(this.#loose, this.#pieces.length)
  }

  #joinLoose(): void {
    const start = this.#starts[this.#loose] ?? this.#length
    if (this.#length - start < blockLength) return
    if (this.#pieces.length - this.#loose > 1) {
      const block = this.#pieces.splice(this.#loose).join('')
      this.#pieces.push(block)
      this.#starts.length = this.#pieces.length
    }
    this.#loose = this.#pieces.length
  }

  #endsInSurrogate(): boolean {
    const last = this.#pieces.at(-1)
    return last !== undefined && isHighSurrogate(last.charCodeAt(last.length - 1))
  }

  #unitAt(offset: number): number {
    const index = this.#pieceAt(offset)
    return this.#pieces[index]?.charCodeAt(offset - (this.#starts[index] ?? 0)) ?? 0
  }

  #pieceAt(offset: number): number {
    let high = this.#starts.length - 1
    // Readers that keep up ask for the last piece.
    if (offset >= (this.#starts[high] ?? 0)) return high
    let low = 0
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}
