import type { Clock } from '../../lib/clock.ts'
import { unixSeconds } from '../ids.ts'
import type { VariableKey } from './ownership.ts'

interface Variable {
  readonly value: string
  readonly createdAt: number
  readonly updatedAt: number
}

const maxUsers = 20_000

/** Named values of users. The oldest user is forgotten first. */
export interface Variables {
  of(key: VariableKey): ReadonlyMap<string, Variable>
  set(key: VariableKey, name: string, value: string): void
  clear(): void
}

export function createVariables(clock: Clock): Variables {
  const users = new Map<string, Map<string, Variable>>()
  const keyText = ({ owner, userId, connectorId, targetId }: VariableKey) =>
    JSON.stringify([owner.key, userId, connectorId, targetId])
  return {
    of: (key) => users.get(keyText(key)) ?? new Map<string, Variable>(),
    set(key, name, value) {
      const text = keyText(key)
      const own = users.get(text) ?? new Map<string, Variable>()
      const now = unixSeconds(clock)
      own.set(name, { value, createdAt: own.get(name)?.createdAt ?? now, updatedAt: now })
      users.set(text, own)
      const [oldest] = users.keys()
      if (users.size > maxUsers && oldest !== undefined) users.delete(oldest)
    },
    clear: () => users.clear(),
  }
}
