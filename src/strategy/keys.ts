import { createHmac } from 'node:crypto'
import type { TokenCredentials } from '../coze/token.ts'
import type { UpstreamScope, KeyedLayer } from '../domain.ts'
import {
  historyKey,
  type KeyingProblem,
  replyKey,
  conversationParameter,
} from '../domain/keying.ts'
import type { BotSettings, WorkflowSettings } from '../config/sections/target.ts'
import type { RunContext } from './strategy.ts'

/** What keys one call in every layer where the platform could mix sessions (docs/isolation.md#layers). */
export interface RunKeys {
  /** Identity: the token is minted for it. Declared in the body as well. */
  readonly sessionName: string
  /** Variables and databases: `user_id`. */
  readonly userId: string
  /** A conversation's name where a call obtains it: unguessable, never one of the platform's templates. */
  readonly conversationName: string
  /**
   * The same where the run itself obtains it. No two messages have one, whatever the store or a run has lost: what was said
   * under it before was said by somebody else.
   */
  readonly runName: string
  /** Reconciliation: the `meta_data` of the user's message, which tells our run from others. */
  readonly metaData: Readonly<Record<string, string>>
  /** The `meta_data` of older messages sent along, which tells them from answers of this run. */
  readonly historyMetaData: Readonly<Record<string, string>>
}

/** Keys every layer from the session and from what is stored under it; nothing a caller writes is part of it. */
export function createRunKeys(run: RunContext): RunKeys {
  const { session, conversationId, generation, replyId } = run
  const nameOf = (...parts: readonly unknown[]) =>
    createHmac('sha256', session.name).update(JSON.stringify(parts)).digest('hex')
  return {
    sessionName: session.name,
    userId: session.name,
    // Made when asked for: most runs go on in a conversation that is known by its id.
    get conversationName() {
      return nameOf(conversationId, generation)
    },
    get runName() {
      return nameOf(conversationId, generation, replyId)
    },
    metaData: { [replyKey]: replyId },
    historyMetaData: { [historyKey]: replyId },
  }
}

/** Names the account whose conversation ids the credentials reach. */
export function upstreamScope(credentials: TokenCredentials): UpstreamScope {
  const { origin } = new URL(credentials.baseUrl)
  const account = credentials.type === 'oauth' ? (credentials.accountId ?? '') : ''
  return { origin, account }
}

/** @throws {TypeError} naming what would leave a layer unkeyed: the configuration lets nothing of it pass. */
export function refuseUnkeyed(problems: readonly KeyingProblem[]): void {
  if (problems.length === 0) return
  const told = problems.map(({ path, message }) => `"${path.join('.')}" ${message}`)
  throw new TypeError(`sessions are not kept apart: ${told.join('; ')}`)
}

/** What keys each layer of a Workflow's runs by the session, as conversations are obtained at present. */
export function workflowLayers(
  { appId, sessionParameter }: WorkflowSettings,
  keying: WorkflowSettings['conversationKeying'],
  identity: KeyedLayer,
): readonly KeyedLayer[] {
  const created =
    appId === undefined ? 'created for it' : 'created for it under an unguessable name'
  return [
    identity,
    {
      layer: 'conversation',
      keyedBy:
        keying === 'name'
          ? `${conversationParameter}: an unguessable name`
          : `conversation_id: ${created}`,
    },
    { layer: 'variables', keyedBy: 'ext.user_id: the name of the session' },
    { layer: 'knowledge', keyedBy: `parameters.${sessionParameter}: the name of the session` },
  ]
}

/** What keys each layer of a Bot's runs by the session. */
export function botLayers(
  { sessionVariable }: BotSettings,
  identity: KeyedLayer,
): readonly KeyedLayer[] {
  return [
    identity,
    { layer: 'conversation', keyedBy: 'conversation_id: created for it' },
    { layer: 'variables', keyedBy: 'user_id: the name of the session' },
    { layer: 'knowledge', keyedBy: `custom_variables.${sessionVariable}: the name of the session` },
  ]
}

/** Whose identity the upstream sees. */
export function identityLayer(hasSharedToken: boolean): KeyedLayer {
  const keyedBy = hasSharedToken
    ? 'nothing: all sessions share one token'
    : 'access token: minted for the name of the session'
  return { layer: 'identity', keyedBy }
}
