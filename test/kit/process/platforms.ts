import type { SystemOptions } from './system.ts'

/** A system whose platform is a self-hosted Studio: one personal token is one identity for all sessions. */
export const studioSystem: SystemOptions = {
  emulator: {
    dialect: 'studio',
    apps: [],
    personalAccessTokens: [{ token: 'pat_1', accountId: '9001' }],
  },
  assistants: {
    platform: 'studio',
    credentials: { type: 'token', token: 'pat_1', allowSharedToken: true },
  },
  workflow: { conversationKeying: 'name' },
}

/** Both platforms, for tests of what must be the same on each. */
export const platforms: readonly (readonly [name: 'the cloud' | 'Studio', SystemOptions])[] = [
  ['the cloud', {}],
  ['Studio', studioSystem],
]
