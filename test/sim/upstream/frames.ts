import { Buffer } from 'node:buffer'
import type { Random } from '../../kit/random.ts'

/** How a stream writes its frames (docs/coze-platform.md#streams), and the liberties of the format. */
export interface Dialect {
  readonly space: string
  readonly newline: string
  readonly bom: boolean
  readonly comments: boolean
  /** Each frame has its number as its id. Default false. */
  readonly numbers?: boolean
}

export function plainDialect(isBot: boolean): Dialect {
  return { space: isBot ? '' : ' ', newline: '\n', bom: false, comments: false }
}

export function oddDialect(isBot: boolean, random: Random): Dialect {
  return {
    space: isBot ? '' : ' ',
    newline: random.pick(['\n', '\r\n', '\r']),
    bom: random.chance(0.5),
    comments: random.chance(0.5),
  }
}

export function writeFrame(
  { space, newline, comments, numbers = false }: Dialect,
  name: string,
  data: string,
  number: number,
): Buffer {
  const comment = comments ? `:${space}still here${newline}` : ''
  const id = numbers ? `id:${space}${number}${newline}` : ''
  const lines = `${id}event:${space}${name}${newline}data:${space}${data}${newline}${newline}`
  return Buffer.from(comment + lines)
}
