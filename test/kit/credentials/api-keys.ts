import { createHash, randomBytes } from 'node:crypto'
import type { ApiKeySettings } from '../../../src/config/sections/api-keys.ts'

/** A backend's key and what the gateway's configuration says of it. */
export interface TestApiKey {
  readonly key: string
  readonly settings: ApiKeySettings
}

export function apiKey(id: string, over: Partial<ApiKeySettings> = {}): TestApiKey {
  const key = randomBytes(24).toString('base64url')
  return { key, settings: { id, backend: 'shop', sha256: sha256(key), scopes: [], ...over } }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The headers of a backend that speaks for a user; `subject` as it is encoded. */
export function asBackend(key: string, subject?: string): Headers {
  return new Headers({
    authorization: `ApiKey ${key}`,
    ...(subject !== undefined && { 'x-session-subject': subject }),
  })
}
