import type { CozeError } from './errors.ts'

/**
 * The likely cause of a refused credential, for the log of whoever runs the gateway (coze-api.md §12): most often the
 * other region's base URL. Undefined for other failures.
 */
export function findAuthHint({ kind, upstreamCode }: CozeError): string | undefined {
  if (kind !== 'auth') return undefined
  // The token endpoint has codes in words (coze-api.md §1).
  const isAssertion = upstreamCode !== undefined && /[a-z]/.test(upstreamCode)
  return isAssertion ? assertionHint : tokenHint
}

const regions = 'api.coze.com and api.coze.cn share no accounts, apps, keys or ids'
const assertionHint = `the assertion was refused: check that "keyId" is the fingerprint of a public key registered with the OAuth app, and that "baseUrl" is the app's region (${regions})`
const tokenHint = `the access token was refused: check that "baseUrl" is the region of the assistant (${regions}), and that the OAuth app has the permission and the workspace`
