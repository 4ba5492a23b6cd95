import { createHash } from 'node:crypto'
import type { Settings } from '../options.ts'

/** Whose data something is: an account and, under it, a session name. */
export interface Principal {
  readonly key: string
  readonly accountId: string
  readonly sessionName: string | undefined
  /** The id that the platform shows as the creator of a conversation. */
  readonly creatorId: string
}

/** By what a named conversation is found. */
export interface ConversationNameKey {
  /** The app or Bot whose flow runs in it. */
  readonly targetId: string
  readonly connectorId: string
  readonly owner: Principal
  readonly name: string
}

/** Whose variables: token owner, user, channel, and app or Bot (docs/coze-platform.md#session_name). */
export interface VariableKey {
  readonly owner: Principal
  readonly userId: string
  readonly connectorId: string
  readonly targetId: string
}

export function createPrincipal(accountId: string, sessionName: string | undefined): Principal {
  const key = `${accountId}\u0000${sessionName ?? ''}`
  const digest = createHash('sha256').update(key).digest().readBigUInt64BE()
  return { key, accountId, sessionName, creatorId: String(10n ** 18n + (digest % 10n ** 18n)) }
}

/*
 * Each leak replaces the true owner in a key by the owner of the whole account.
 */

/** The owner of what all sessions of an account share. */
export function accountOwner({ accountId }: Principal): Principal {
  return createPrincipal(accountId, undefined)
}

/** The key under which an app's conversation is really kept. */
export function conversationNameKey(
  key: ConversationNameKey,
  { leaks }: Settings,
): ConversationNameKey {
  if (leaks.staticConversation) return { ...key, owner: accountOwner(key.owner), name: 'Default' }
  return leaks.sharedName ? { ...key, owner: accountOwner(key.owner) } : key
}

/** Whether a principal may use a conversation. */
export function mayUse(
  principal: Principal,
  { owner, appId }: { readonly owner: Principal; readonly appId: string | undefined },
  { leaks }: Settings,
): boolean {
  if (owner.key === principal.key || leaks.foreignConversations) return true
  const isShared = leaks.staticConversation || leaks.sharedName
  return isShared && appId !== undefined && owner.key === accountOwner(principal).key
}

/** The key under which user variables are really kept. */
export function variableKey(key: VariableKey, { leaks }: Settings): VariableKey {
  return leaks.sharedVariables ? sharedKey(key) : key
}

/** The key under which long-term memory is really kept. */
export function memoryKey(key: VariableKey, { leaks }: Settings): VariableKey {
  return leaks.sharedMemory ? sharedKey(key) : key
}

/** The key of what the nodes of a flow keep in a conversation of one fixed name. */
export function sharedKey(key: VariableKey): VariableKey {
  return { ...key, owner: accountOwner(key.owner), userId: '' }
}
