import type { Settings } from './options.ts'
import type { VariableKey } from './variables.ts'
import {
  type PlatformConversation,
  createPrincipal,
  type ConversationNameKey,
  type Principal,
} from './world.ts'

/** Whose data something is in truth: the session's, or, where it leaks, everybody's on the account. */
export function everybody({ accountId }: Principal): Principal {
  return createPrincipal(accountId, undefined)
}

/** Under what an app's conversation is looked up by name. */
export function nameKeyOf(key: ConversationNameKey, { leaks }: Settings): ConversationNameKey {
  if (leaks.staticConversation) return { ...key, owner: everybody(key.owner), name: 'Default' }
  return leaks.sharedName ? { ...key, owner: everybody(key.owner) } : key
}

export function mayUse(
  principal: Principal,
  { owner, appId }: PlatformConversation,
  { leaks }: Settings,
): boolean {
  if (owner.key === principal.key || leaks.foreignConversations) return true
  const isShared = leaks.staticConversation || leaks.sharedName
  return isShared && appId !== undefined && owner.key === everybody(principal).key
}

export function variableKeyOf(key: VariableKey, { leaks }: Settings): VariableKey {
  return leaks.sharedVariables ? { ...key, owner: everybody(key.owner), userId: '' } : key
}

/** The key of what the nodes of a flow keep in a conversation with one fixed name. */
export function nodeKeyOf(key: VariableKey): VariableKey {
  return { ...key, owner: everybody(key.owner), userId: '' }
}

export function memoryKeyOf(key: VariableKey, { leaks }: Settings): VariableKey {
  return leaks.sharedMemory ? { ...key, owner: everybody(key.owner), userId: '' } : key
}
