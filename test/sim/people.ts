import type { SessionId, SessionName } from '../../src/domain.ts'
import { markerOf } from './upstream/markers.ts'

export const people = ['ann', 'bob', 'cem', 'dee'] as const

/** A person is known by a short name; the session and what the upstream sees of it are made of that. */
export function sessionIdOf(person: string): SessionId {
  return `session-${person}` as SessionId
}

export function sessionNameOf(person: string, generation: number): SessionName {
  return `user-${markerOf(person)}-${generation}` as SessionName
}
