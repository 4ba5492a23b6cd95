import type { Platform, StrategyKind } from '../domain.ts'
import type { ProbeLayer } from '../domain/isolation.ts'

type AdvisedLayer = ProbeLayer | 'conversation-name' | 'conversation-id'

/** How an assistant is driven, and where. */
export interface Driven {
  readonly strategy: StrategyKind
  readonly platform: Platform
}

interface Advice {
  readonly cause: string
  readonly remedy: string
}

/**
 * What is behind a leak, and what to change. "Known" is what the platform's code or documentation says; "likely" is what
 * fits and was reported from the field.
 */
export function adviceFor(layer: AdvisedLayer, driven: Driven): Advice {
  switch (driven.platform) {
    case 'cloud':
      return adviceForCloud(layer, driven.strategy)
    case 'studio':
      return adviceForStudio(layer, driven.strategy) ?? adviceForCloud(layer, driven.strategy)
  }
}

/** Where a self-hosted Studio differs: it has no memory node, no OAuth apps and no support. Undefined: it does not. */
function adviceForStudio(layer: AdvisedLayer, strategy: StrategyKind): Advice | undefined {
  switch (layer) {
    case 'conversation':
      return strategy === 'workflow'
        ? {
            cause:
              'Likely: a conversation node (会话节点) or message node (消息节点) of the chatflow uses one fixed conversation name, or the chatflow is bound to a static conversation (静态会话) of its app. Known: such a conversation belongs to everybody.',
            remedy:
              'In the chatflow, feed the conversation name (会话名称) of every conversation and message node from the start parameter CONVERSATION_NAME instead of a fixed text, remove the static conversation, and publish again.',
          }
        : {
            cause:
              'Likely: the agent answers from a conversation that is not the one it was given.',
            remedy: 'Take the assistant out of service, and look into the log of the Studio.',
          }
    case 'conversation-id':
      return {
        cause: 'Known: a Studio looks a conversation up by its id without asking whose it is.',
        remedy:
          "Here nothing leaks by it: the gateway takes no upstream id that is not the session's own. Let no other client of the Studio take a conversation_id from its users.",
      }
    case 'variables':
      return {
        cause:
          'Known: user variables (用户变量) are kept by user_id, and app variables (应用变量) for everybody.',
        remedy: 'Make the variables per user (用户级), or remove them, and publish again.',
      }
    case 'long-term-memory':
      return strategy === 'workflow'
        ? {
            cause:
              'Known: a Studio has no long-term memory; what outlives a conversation is in a conversation node (会话节点) or message node (消息节点) that uses one fixed conversation name, in an app variable (应用变量) or in a database.',
            remedy:
              'In the chatflow, feed the conversation name (会话名称) of every conversation and message node from the start parameter CONVERSATION_NAME instead of a fixed text, make variables per user (用户级), filter databases by the session, and publish again. The fixed conversation keeps what it has: delete it.',
          }
        : {
            cause:
              'Known: a Studio has no long-term memory; what outlives a conversation is in a workflow that the agent calls, a variable or a database.',
            remedy:
              'Give the nodes of its workflows no fixed conversation name (会话名称), make variables per user (用户级), filter databases by the session, and publish again.',
          }
    case 'identity':
      return {
        cause:
          'Known: a Studio has no OAuth apps, so that a personal token is one identity for all sessions.',
        remedy:
          'None is needed: conversations and variables keep the sessions apart, and the findings of those layers say whether they do.',
      }
    case 'conversation-name':
    case 'knowledge':
    case 'pending-question':
      return undefined
  }
}

function adviceForCloud(layer: AdvisedLayer, strategy: StrategyKind): Advice {
  switch (layer) {
    case 'conversation':
      return strategy === 'workflow'
        ? {
            cause:
              'Likely: the chatflow is bound to a static conversation (静态会话) of its app, which all sessions then share. Known: a run is in the conversation that its start node names.',
            remedy:
              'In the app, remove the static conversation name (静态会话名称) from the start node and from conversation nodes, and publish again; or use the Bot strategy, whose conversations are made by a call of their own.',
          }
        : {
            cause: 'Likely: the Bot answers from a conversation that is not the one it was given.',
            remedy:
              "Send this report to the platform's support; until then take the assistant out of service.",
          }
    case 'conversation-name':
      return {
        cause:
          'Likely: the platform looks an app\'s conversations up by their names without regard to session_name. Known: a name that is not unique to a session, such as "Default" or a static conversation (静态会话), then belongs to everybody.',
        remedy:
          "Here nothing leaks by it. Let no node of the workflow and no other client of the app use a fixed conversation name (会话名称), and tell the platform's support with these log ids.",
      }
    case 'conversation-id':
      return {
        cause:
          'Known: open-source Coze looks a conversation up by its id without asking whose it is; the cloud is documented to ask.',
        remedy:
          "Here nothing leaks by it: the gateway takes no upstream id that is not the session's own. Let no other client of the assistant take a conversation_id from its users, and tell the platform's support with these log ids.",
      }
    case 'variables':
      return {
        cause:
          'Known: user variables (用户变量) are kept by user_id and by the owner of the token. Likely: here they are kept by the owner of the token alone.',
        remedy:
          'Use an OAuth app of type JWT (服务类应用), so that each session has its own session_name; make the variables per user (用户级), or remove them.',
      }
    case 'long-term-memory':
      return {
        cause:
          'Likely: a long-term-memory node (长期记忆节点) is not isolated by session. Not known: the documentation does not say what its memory is kept by.',
        remedy:
          'In the long-term-memory node switch on "isolate by session" (按会话隔离), or remove the node or the Bot\'s long-term memory (长期记忆), and publish again. What it has kept must be deleted in the console.',
      }
    case 'knowledge':
      return {
        cause: 'Known: a knowledge base (知识库) has no users: everybody is told what it holds.',
        remedy:
          'Filter the search by the session: give the knowledge node a filter on session_name (知识库 session_name 筛选), fed by the start parameter or variable SESSION_NAME; or take personal facts out of the knowledge base.',
      }
    case 'pending-question':
      return {
        cause:
          'Likely: a question node (问答节点) waits for the app instead of the conversation, so that whoever comes next answers it.',
        remedy:
          'Bind the workflow to a conversation of each session (see conversation), or ask in text instead of by a question node.',
      }
    case 'identity':
      return {
        cause:
          'Known: a personal or service token is one identity for all sessions, so only conversations keep them apart.',
        remedy: 'Use an OAuth app of type JWT (服务类应用) instead of a token.',
      }
  }
}
