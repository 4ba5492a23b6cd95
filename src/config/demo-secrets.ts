/** The secrets of the demo. Everybody knows them, so every other mode refuses them. */
export const demoSecrets = {
  /** HS256 key of the demo's issuer. */
  issuer: 'demo-issuer-secret-known-to-everybody-0001',
  sessionKey: 'demo-session-key-known-to-everybody-000002',
  nameKey: 'demo-session-name-key-known-to-everybody-3',
} as const

const all: ReadonlySet<string> = new Set(Object.values(demoSecrets))

export function isDemoSecret(text: string): boolean {
  return all.has(text)
}
