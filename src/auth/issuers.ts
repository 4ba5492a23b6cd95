import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters, JWTPayload } from 'jose'
import type { KeyObject } from 'node:crypto'
import type { KeySource } from '../config/key-source.ts'
import type { IssuerSettings } from '../config/sections/issuer.ts'
import type { NameClaim } from '../config/sections/session-keys.ts'
import { matchTemplate } from '../domain/issuer-template.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { ClaimRules } from './claims.ts'
import { permanentlyAccepted, type CredentialStatus } from './identity.ts'
import { createRemoteKeys, type RemoteKeyOptions } from './jwks.ts'

/** The configured issuers, with their keys. */
export interface Issuers extends Disposable {
  /**
   * Returns the issuer that the `iss` of unverified claims names. It only chooses the keys and rules for the token.
   * @throws {@link UnauthenticatedError} if the claims name none that is configured.
   */
  find(claims: JWTPayload): Issuer
}

export interface Issuer {
  readonly settings: IssuerSettings
  readonly sources: readonly OpenKeySource[]
  /** The current rules for its tokens. */
  rules(): ClaimRules
}

/** A key source that can find keys. */
export interface OpenKeySource extends Pick<KeySource, 'algorithms' | 'type'> {
  /** Returns the key that may have signed the token. `iss` is the claim of the token. */
  find(
    header: JWSHeaderParameters,
    token: FlattenedJWSInput,
    iss: string,
  ): Promise<CryptoKey | KeyObject | Uint8Array>
  /** The status of tokens that were verified with a key found here. */
  statusOf(key: object): CredentialStatus
}

export interface IssuersOptions extends RemoteKeyOptions {
  readonly issuers: readonly IssuerSettings[]
  readonly nameClaim?: NameClaim | undefined
}

/** The longest unverified name that is logged. */
const maxLoggedIssuer = 200

export function openIssuers(options: IssuersOptions): Issuers {
  const { clock, nameClaim } = options
  const stack = new DisposableStack()
  const issuers = options.issuers.map((settings): Issuer => {
    const claim = nameClaim?.issuer === settings.issuer ? nameClaim.claim : undefined
    return {
      settings,
      sources: settings.keys.map((source) => openKeySource(source, settings, options, stack)),
      rules: () => ({ settings, nameClaim: claim, now: clock.now() }),
    }
  })
  // A map and not an object, since the key comes from an unverified token.
  const exact = new Map(issuers.map((issuer) => [issuer.settings.issuer, issuer]))

  function fitting(iss: string): Issuer | undefined {
    return issuers.find(({ settings: { template } }) => template && matchTemplate(template, iss))
  }

  return {
    find({ iss }) {
      if (typeof iss !== 'string') {
        throw new UnauthenticatedError('The token names no issuer.', {
          refusal: { claim: 'iss', expected: 'to be text' },
        })
      }
      const found = exact.get(iss) ?? fitting(iss)
      if (found !== undefined) return found
      const namedIssuer = iss.slice(0, maxLoggedIssuer)
      throw new UnauthenticatedError('The token has an unknown issuer.', {
        refusal: { namedIssuer, claim: 'iss', expected: [...exact.keys()] },
      })
    },
    [Symbol.dispose]: () => stack.dispose(),
  }
}

function openKeySource(
  source: KeySource,
  { issuer }: IssuerSettings,
  options: RemoteKeyOptions,
  stack: DisposableStack,
): OpenKeySource {
  const { type, algorithms } = source
  if (source.type === 'secret' || source.type === 'public-key') {
    const key =
      source.type === 'secret' ? new TextEncoder().encode(source.secret.reveal()) : source.key
    return { type, algorithms, find: async () => key, statusOf: () => permanentlyAccepted }
  }
  const remote = stack.use(createRemoteKeys(source, issuer, options))
  return {
    type,
    algorithms,
    find: (header, token, iss) => remote.find(header, token, iss),
    statusOf: (key) => remote.statusOf(key),
  }
}
