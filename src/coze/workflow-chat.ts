import type {
  CozeClient,
  CozeTarget,
  StreamListener,
  StreamTimeouts,
  TakeCozeEvents,
} from './client.ts'
import { type EnterMessage, enterMessage } from './message-content.ts'

export interface WorkflowChatRequest {
  readonly workflowId: string
  /** Exactly one of both, as the platform demands. */
  readonly owner: { readonly appId: string } | { readonly botId: string }
  readonly conversationId?: string | undefined
  /** Oldest first; the last one is the user's. At most 50. */
  readonly messages: readonly EnterMessage[]
  /** Start parameters, `CONVERSATION_NAME` among them. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  /** `ext.user_id`: keys variables and databases. */
  readonly userId: string
  /** Declared in the body as well; the platform ignores it today. */
  readonly sessionName?: string | undefined
  readonly connectorId?: string | undefined
  /** The version of a library flow; default: the latest. */
  readonly workflowVersion?: string | undefined
  /** The version of an app; default: the latest. */
  readonly appVersion?: string | undefined
  readonly timeouts: StreamTimeouts
  readonly listener?: StreamListener | undefined
}

/** Runs a Workflow and streams what it says. */
export function streamWorkflowChat(
  client: CozeClient,
  target: CozeTarget,
  request: WorkflowChatRequest,
  take: TakeCozeEvents,
  signal: AbortSignal,
): Promise<void> {
  return client.stream(
    {
      call: 'workflow-chat',
      target,
      path: '/v1/workflows/chat',
      body: {
        workflow_id: request.workflowId,
        ...('appId' in request.owner
          ? { app_id: request.owner.appId }
          : { bot_id: request.owner.botId }),
        conversation_id: request.conversationId,
        additional_messages: request.messages.map(enterMessage),
        parameters: request.parameters ?? {},
        ext: { user_id: request.userId },
        session_name: request.sessionName,
        connector_id: request.connectorId,
        workflow_version: request.workflowVersion,
        app_version: request.appVersion,
      },
      timeouts: request.timeouts,
      listener: request.listener,
    },
    take,
    signal,
  )
}
