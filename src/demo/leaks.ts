import type { ProbeRequest } from '../domain/probe.ts'
import type { Leak } from '../emulator/options.ts'
import { knowledge } from './settings.ts'

export interface LeakStory {
  readonly leak: Leak
  /** The fault of the stand-in for Coze. */
  readonly about: string
  /** The messages to the Workflow, each with its sender. */
  readonly talk: readonly (readonly ['Alice' | 'Bob', string])[]
}

const secret: LeakStory['talk'] = [
  ['Alice', 'my secret is swordfish'],
  ['Bob', 'what is my secret?'],
]

/** Keyed by the value of the option. */
export const leakStories: Readonly<Record<string, LeakStory>> = {
  'static-conversation': {
    leak: 'staticConversation',
    about: 'the app has one conversation for everybody (静态会话): session_name is ignored',
    talk: secret,
  },
  'shared-name': {
    leak: 'sharedName',
    about: 'the app finds conversations by their names alone, whoever asks',
    talk: secret,
  },
  'foreign-conversations': {
    leak: 'foreignConversations',
    about: 'whoever knows the id of a conversation may use it',
    talk: secret,
  },
  'shared-variables': {
    leak: 'sharedVariables',
    about: 'user variables (用户变量) are kept by the owner of the token, so all users share them',
    talk: secret,
  },
  'shared-memory': {
    leak: 'sharedMemory',
    about: 'a long-term-memory node (长期记忆节点) is not isolated by session (按会话隔离)',
    talk: secret,
  },
  'shared-question': {
    leak: 'sharedQuestion',
    about: 'a question is answered by the next message to the app, whoever sends it',
    talk: [
      ['Alice', '/ask Which parcel, Alice?'],
      ['Bob', 'Good morning.'],
    ],
  },
  'fixed-node-names': {
    leak: 'fixedNodeNames',
    about:
      'conversation or message nodes (会话节点, 消息节点) of the flow use one fixed name for everybody',
    talk: secret,
  },
  'unfiltered-knowledge': {
    leak: 'unfilteredKnowledge',
    about:
      "the knowledge base (知识库) is not filtered by session_name, and contains Carol's account",
    talk: [['Bob', 'what is my account?']],
  },
}

export const leakNames: readonly string[] = Object.keys(leakStories)

/** The switch of the stand-in for this name. Returns undefined for an unknown name. */
export function findLeak(name: string): Leak | undefined {
  return leakStories[name]?.leak
}

/** What a probe of the demo asks so that it finds every leak. */
export const leakProbe = {
  questionTrigger: '/ask Which parcel?',
  knowledge: [
    {
      sessionName: knowledge.sessionName,
      question: `What is my ${knowledge.name}?`,
      value: knowledge.value,
    },
  ],
} satisfies ProbeRequest
