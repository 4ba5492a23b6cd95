import type { AssistantSettings } from '../config/sections/assistant.ts'
import type { Platform, StrategyKind } from '../domain.ts'
import type { ProbeLayer } from '../domain/isolation.ts'

/** How an assistant is driven, and where. */
export interface Driven {
  readonly strategy: StrategyKind
  readonly platform: Platform
  /** Whether one upstream identity serves all sessions. */
  readonly hasSharedToken: boolean
}

export function drivenAs(
  strategy: StrategyKind,
  { platform, credentials }: AssistantSettings,
): Driven {
  return { strategy, platform, hasSharedToken: credentials.type === 'token' }
}

/**
 * What a finding is about: a layer that leaks; a conversation that a stranger could enter who knew its name or id; or a
 * reason why a layer could not be judged.
 */
export type AdviceSubject =
  | ProbeLayer
  | 'conversation-name'
  | 'conversation-id'
  | 'nothing-recalled'
  | 'form-unanswered'
  | 'answers-invented'

export interface Advice {
  readonly cause: string
  readonly remedy: string
}

/**
 * The cause of a finding and what to change. A cause begins with how sure it is. "Known": the platform's code or
 * documentation says so. "Likely": it fits, and users have reported it. "Not known": nothing says what it is.
 */
export function adviseOnFinding(subject: AdviceSubject, driven: Driven): Advice {
  const { cause, remedy, see } = advice[subject](driven)
  return { cause, remedy: `${remedy} See ${see}.` }
}

/** `see`: the section of the documentation that tells the steps. */
type DocumentedAdvice = Advice & { readonly see: `docs/${string}.md#${string}` }

const isStudio = ({ platform }: Driven) => platform === 'studio'

const advice: Readonly<Record<AdviceSubject, (driven: Driven) => DocumentedAdvice>> = {
  conversation(driven) {
    const see = 'docs/isolation.md#shared-conversations'
    if (driven.strategy === 'bot') {
      return {
        cause: 'Not known: the Bot answers from a conversation that is not the one it was given.',
        remedy: isStudio(driven)
          ? 'Take the assistant out of service. Look for the log ids of this report in the log of the Studio.'
          : "Take the assistant out of service. Send this report with its log ids to the platform's support.",
        see,
      }
    }
    if (isStudio(driven)) {
      return {
        cause:
          'Likely: a conversation node (会话节点) or message node (消息节点) of the chatflow uses one fixed conversation name, or the chatflow is bound to a static conversation (静态会话) of its app. Known: on a Studio all sessions share such a conversation.',
        remedy:
          'In the chatflow, set the conversation name (会话名称) of every conversation and message node to the start parameter CONVERSATION_NAME, remove the static conversation, and publish. Then probe again.',
        see,
      }
    }
    if (driven.hasSharedToken) return sharedIdentity(see)
    return {
      cause:
        'Likely: the chatflow is bound to a static conversation (静态会话) of its app, and the app does not keep it apart by session_name. Known: a run is in the conversation that its start node names.',
      remedy:
        'In the app, remove the static conversation name (静态会话名称) from the start node and from conversation nodes, and publish. Then probe again. If it still leaks, use the Bot strategy: each of its conversations is created by a call.',
      see,
    }
  },
  'conversation-name': () => ({
    cause:
      'Likely: the platform finds conversations of an app by name, and ignores session_name. Known: then all sessions share a name that is not unique to one of them, such as "Default" or a static conversation (静态会话).',
    remedy:
      'The gateway needs no change: its names cannot be guessed. Let no node of the workflow and no other client of the app use a fixed conversation name (会话名称).',
    see: 'docs/isolation.md#conversations-reached-by-name-or-id',
  }),
  'conversation-id': (driven) => ({
    cause: isStudio(driven)
      ? 'Known: a Studio finds a conversation by its id and does not check whose it is.'
      : "Known: open-source Coze finds a conversation by its id and does not check whose it is. The cloud's documentation says that it checks.",
    remedy:
      'The gateway needs no change: it takes no conversation id from its callers. Let no other client of the assistant take a conversation_id from its users.',
    see: 'docs/isolation.md#conversations-reached-by-name-or-id',
  }),
  variables(driven) {
    const see = 'docs/isolation.md#shared-variables'
    if (isStudio(driven)) {
      return {
        cause:
          'Known: a Studio keeps user variables (用户变量) by user_id, and app variables (应用变量) for everybody.',
        remedy:
          'Make the variables per user (用户级), or remove them, and publish. Then probe again.',
        see,
      }
    }
    if (driven.hasSharedToken) return sharedIdentity(see)
    return {
      cause:
        'Known: user variables (用户变量) are kept by user_id and by the owner of the token, and app variables (应用变量) for everybody. Likely: this variable is an app variable, or user_id is ignored.',
      remedy:
        'Make the variable per user (用户级), or remove it, and publish. Then probe again. Send the report to the support of the platform if a user variable still leaks.',
      see,
    }
  },
  'long-term-memory'(driven) {
    const see = 'docs/isolation.md#shared-memory-and-databases'
    const inStudio =
      'name the conversations (会话名称) of conversation and message nodes by the start parameter CONVERSATION_NAME, make variables per user (用户级), and filter databases (数据库) by the session. Publish, delete what the shared conversation or database holds, and probe again.'
    if (isStudio(driven) && driven.strategy === 'workflow') {
      return {
        cause:
          'Known: a Studio has no long-term memory. Likely: a conversation node (会话节点) or message node (消息节点) with one fixed conversation name, an app variable (应用变量) or a database (数据库) keeps what a session said.',
        remedy: `In the chatflow, ${inStudio}`,
        see,
      }
    }
    if (isStudio(driven)) {
      return {
        cause:
          'Known: a Studio has no long-term memory. Likely: a workflow that the agent calls, a variable or a database (数据库) keeps what a session said.',
        remedy: `In the workflows of the agent, ${inStudio}`,
        see,
      }
    }
    return {
      cause:
        'Likely: a long-term-memory node (长期记忆节点) that is not isolated by session, a database (数据库) in multi-user mode (多用户模式), or a conversation node (会话节点) with one fixed conversation name. Not known: the documentation does not say by what long-term memory is kept.',
      remedy:
        'In the long-term-memory node switch on "isolate by session" (按会话隔离); if there is no such switch, remove the node, or the long-term memory (长期记忆) of the Bot. Put databases into single-user mode (单用户模式). Feed the names of conversation nodes from CONVERSATION_NAME. Publish, delete in the console what was kept, and probe again.',
      see,
    }
  },
  knowledge: () => ({
    cause: 'Known: a knowledge base (知识库) has no users, so everybody is told what it holds.',
    remedy:
      'Filter its search by session, if the knowledge node can (知识库 session_name 筛选): compare with the start parameter or variable SESSION_NAME. Otherwise take personal facts out of the knowledge base, and keep them in a database (数据库) in single-user mode (单用户模式).',
    see: 'docs/isolation.md#shared-knowledge',
  }),
  'pending-question': () => ({
    cause:
      'Likely: a question node (问答节点) waits for the whole app and not for one conversation, so that the next message of anybody answers it.',
    remedy:
      'Give each session a conversation of its own (see the conversation layer), or let the assistant ask in the text of an answer and remove the question node. Publish, and probe again.',
    see: 'docs/isolation.md#questions-answered-by-others',
  }),
  identity: (driven) =>
    isStudio(driven)
      ? {
          cause:
            'Known: a Studio has no OAuth apps, so one personal token is the identity of all sessions.',
          remedy:
            'Nothing needs to be changed here. Conversations and variables keep the sessions apart, and the findings of those layers say whether they do.',
          see: 'docs/isolation.md#shared-tokens',
        }
      : sharedIdentity('docs/isolation.md#shared-tokens'),
  'nothing-recalled': (driven) => ({
    cause:
      driven.strategy === 'workflow'
        ? 'Likely: the model node (大模型节点) of the chatflow is not given the history of the conversation.'
        : 'Likely: the Bot is given no earlier rounds of the conversation, or its prompt forbids it to repeat codes.',
    remedy:
      driven.strategy === 'workflow'
        ? 'Switch on the chat history (对话历史) in the model node, and publish. Then probe again. A chatflow that never recalls anything by design can stay INCONCLUSIVE.'
        : 'Give its model rounds of context (携带上下文轮数), and publish. Then probe again. A Bot that never recalls anything by design can stay INCONCLUSIVE.',
    see: 'docs/isolation.md#inconclusive-results',
  }),
  'form-unanswered': () => ({
    cause:
      'Known: the assistant asked a question before it answered, so the first message was taken for the answer.',
    remedy:
      'Set "probe.answers" of the assistant to what answers its questions, with {message} where the message belongs. Then probe again.',
    see: 'docs/isolation.md#inconclusive-results',
  }),
  'answers-invented': () => ({
    cause: 'Not known: the assistant said a code that nobody had told it.',
    remedy:
      "Probe again. If it happens again, look at what the assistant is given with each message, and send this report to the platform's support.",
    see: 'docs/isolation.md#inconclusive-results',
  }),
}

/** One token is one user to Coze's cloud: conversations by name and user variables are then common property. */
function sharedIdentity(see: DocumentedAdvice['see']): DocumentedAdvice {
  return {
    cause:
      'Known: the assistant is called with one personal or service token, and the platform takes all sessions for one user.',
    remedy:
      'Create an OAuth app of type JWT (服务类应用) and use it as "credentials" instead of the token: then each session has a token with its own session_name. Probe again.',
    see,
  }
}
