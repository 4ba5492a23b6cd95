import type { Platform } from '../domain.ts'
import type { SeedForm } from './enter-messages.ts'

/** How the platforms differ in what strategies and records need of them. */
export interface PlatformTraits {
  /** How a Workflow is sent older messages. A Bot takes each as it was, on either platform. */
  readonly workflowSeeds: SeedForm
  /** Runs of an app know the conversations that the call for an app's conversation makes. */
  readonly createsForApps: boolean
  /** A Workflow reads the answer to a form only as lines of `name:value`. */
  readonly readsFormLines: boolean
  /** A conversation that a run has just revealed can be listed as long as it is there. Undefined: not documented. */
  readonly listsAppConversations: boolean | undefined
  /** Conversations of another identity are hidden: one that is not known belongs to somebody else. */
  readonly hidesForeign: boolean
  /** What becomes of a conversation that is deleted. `hidden`: its messages can be read, and the model recalls them. */
  readonly deleted: 'gone' | 'hidden'
  /** What asks the list of a conversation's messages for older ones. */
  readonly olderMessages: 'before_id' | 'after_id'
}

/** The one place that tells the platforms apart. */
export const platformTraits: Readonly<Record<Platform, PlatformTraits>> = {
  cloud: {
    workflowSeeds: 'messages',
    createsForApps: true,
    readsFormLines: false,
    listsAppConversations: undefined,
    hidesForeign: true,
    deleted: 'gone',
    olderMessages: 'before_id',
  },
  studio: {
    // Its chatflows make every row a user's, and tell them in no certain order.
    workflowSeeds: 'transcript',
    createsForApps: false,
    readsFormLines: true,
    listsAppConversations: true,
    // All sessions have one identity.
    hidesForeign: false,
    deleted: 'hidden',
    olderMessages: 'after_id',
  },
}
