import { type Authenticator, createAuthenticator } from '../auth/authenticator.ts'
import { createGuests, type Guests } from '../auth/guests.ts'
import type { Config } from '../config/config.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import { createFetchJson } from '../lib/fetch-json.ts'
import { createRefusalLog, type RefusalLog } from '../observe/refusals.ts'
import type { Dependencies } from './dependencies.ts'

/** How callers prove who they are. */
export interface SignIn extends Disposable {
  readonly authenticator: Authenticator
  /** Undefined: there are no guests. */
  readonly guests: Guests | undefined
  readonly refusals: RefusalLog
}

export function createSignIn(
  config: Config,
  { clock, newId, logger, metrics }: Dependencies,
  /** Called for every key set that could not be fetched. */
  onFailure: (failure: UpstreamFailure) => void,
): SignIn {
  const stack = new DisposableStack()
  const guests = config.guests && createGuests(config.guests, { clock, newId })
  const authenticator = stack.use(
    createAuthenticator({
      issuers: config.issuers,
      maxTokenLength: config.limits.maxCredentialBytes,
      nameClaim: config.session.nameClaim,
      apiKeys: config.apiKeys,
      cookie: config.cookie,
      guests,
      clock,
      fetchJson: createFetchJson(config.proxy),
      onFetchFailure(failure) {
        onFailure(failure)
        const { call, kind, systemCode, httpStatus } = failure
        const status = httpStatus === undefined ? 'uncoded' : `HTTP_${httpStatus}`
        metrics.upstreamError(call, kind, systemCode ?? status)
      },
    }),
  )
  const refusals = stack.use(createRefusalLog({ clock, logger }))
  return { authenticator, guests, refusals, [Symbol.dispose]: () => stack.dispose() }
}
