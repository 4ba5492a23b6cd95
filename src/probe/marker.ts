import { createHash } from 'node:crypto'
import type { NewId } from '../lib/id.ts'

/** A secret that nobody can guess. One session is told it, and others are asked for it. */
export interface Marker {
  /** The unique number to ask by, such as `48213907`: no session is asked for a secret of its own by mistake. */
  readonly number: string
  /** The secret, such as `CG-7KQ2-M4XD`. Its prefix says where it comes from, wherever it turns up. */
  readonly value: string
}

/** One way to tell a secret and to ask for it. */
export interface Phrasing {
  tell(marker: Marker): string
  ask(marker: Marker): string
}

const alphabet = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'

export function createMarker(newId: NewId): Marker {
  const digest = createHash('sha256').update(newId()).digest()
  const letter = (at: number) => alphabet[digest.readUInt8(at) % alphabet.length] ?? ''
  const part = (from: number) => [0, 1, 2, 3].map((at) => letter(from + at)).join('')
  return {
    number: String(10_000_000 + (digest.readUInt32BE(16) % 90_000_000)),
    value: `CG-${part(0)}-${part(4)}`,
  }
}

export const phrasings: readonly [Phrasing, ...Phrasing[]] = [
  {
    tell: ({ number, value }) => `Please remember: my test code ${number} is ${value}.`,
    ask: ({ number }) => `What is my test code ${number}?`,
  },
  {
    tell: ({ number, value }) => `请记住：我的测试码${number}是${value}。`,
    ask: ({ number }) => `我的测试码${number}是什么？`,
  },
  {
    tell: ({ number, value }) => `My order code ${number} is ${value}. I will ask for it later.`,
    ask: ({ number }) => `I told you a code before. What is my order code ${number}?`,
  },
]

/** Whether an answer contains a value, whatever its spacing and case. */
export function tells(answer: string, value: string): boolean {
  return plain(answer).includes(plain(value))
}

function plain(text: string): string {
  return text.toUpperCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
}
