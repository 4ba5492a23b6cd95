import { Secret } from '../lib/secret.ts'

/** The proxy through which https targets are reached. */
export interface ProxySettings {
  /** An `http:` or `https:` URL, which may contain a user and a password. */
  readonly url: Secret
  /** Hosts that are reached directly, separated by commas. `*` means all. */
  readonly noProxy: string
}

/**
 * The proxy of `HTTPS_PROXY` and `NO_PROXY`. Their lower-case forms take precedence. Plain http targets are on this machine
 * or in a private network, so `HTTP_PROXY` is not read.
 */
export function readProxy(
  env: Readonly<Record<string, string | undefined>>,
): ProxySettings | undefined | { readonly problem: string } {
  const text = env['https_proxy'] ?? env['HTTPS_PROXY'] ?? ''
  if (text === '') return undefined
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    return { problem: 'must be the URL of an HTTP proxy, such as http://proxy.example:3128' }
  }
  return { url: new Secret(url.href), noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '' }
}
