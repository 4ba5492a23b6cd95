import { createHmac, hkdfSync } from 'node:crypto'
import { FlattenedEncrypt, flattenedDecrypt } from 'jose'
import { isPlain } from '../lib/plain.ts'
import type { Secret } from '../lib/secret.ts'

export interface SealedContent {
  readonly token: string
  /** How long before its end the token is to be replaced, in ms. */
  readonly aheadMs: number
}

/** Keeps what is shared from everybody who reads the lane, and what is one session's from every other session. */
export interface TokenSeal {
  close(content: SealedContent, scope: string, sessionName: string): Promise<string>
  /** Undefined: it was not sealed for this session, or not under this key. */
  open(text: string, scope: string, sessionName: string): Promise<SealedContent | undefined>
  /** Stands for what it is made from in the names of keys. */
  digest(...parts: readonly string[]): string
}

/** @param secret the same for all instances */
export function createTokenSeal(secret: Secret): TokenSeal {
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', secret.reveal(), '', `coze-graphql-gateway ${purpose}`, 32))
  const key = derive('access tokens of the lane')
  const digestKey = derive('names in the lane')
  const aboutOf = (scope: string, sessionName: string) =>
    new TextEncoder().encode(JSON.stringify([scope, sessionName]))

  return {
    async close(content, scope, sessionName) {
      const sealed = await new FlattenedEncrypt(new TextEncoder().encode(JSON.stringify(content)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setAdditionalAuthenticatedData(aboutOf(scope, sessionName))
        .encrypt(key)
      // The session is not written down: whoever opens it has to know it.
      const { aad: _, ...rest } = sealed
      return JSON.stringify(rest)
    },
    async open(text, scope, sessionName) {
      try {
        const sealed: unknown = JSON.parse(text)
        if (!isPlain(sealed)) return undefined
        const { protected: header, iv, ciphertext, tag } = sealed
        if (![header, iv, ciphertext, tag].every((part) => typeof part === 'string'))
          return undefined
        const aad = Buffer.from(aboutOf(scope, sessionName)).toString('base64url')
        const { plaintext } = await flattenedDecrypt(
          {
            protected: String(header),
            iv: String(iv),
            ciphertext: String(ciphertext),
            tag: String(tag),
            aad,
          },
          key,
          { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
        )
        const content: unknown = JSON.parse(new TextDecoder().decode(plaintext))
        if (!isPlain(content)) return undefined
        const { token, aheadMs } = content
        if (typeof token !== 'string' || typeof aheadMs !== 'number') return undefined
        return { token, aheadMs }
      } catch {
        return undefined
      }
    },
    digest: (...parts) =>
      createHmac('sha256', digestKey).update(JSON.stringify(parts)).digest('base64url'),
  }
}
