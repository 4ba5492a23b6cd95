import type { AssistantInfo, Reply, ReplyId } from '../domain.ts'
import type { TraceAttributes, TraceParent, Tracer } from '../observe/tracer.ts'

/** The spans of runs: each belongs to the request that sent its message, if this process answered it. */
export interface RunTraces {
  /** The current request sent this message. */
  accepted(replyId: ReplyId): void
  run<T>(reply: Reply, work: () => Promise<T>): Promise<T>
}

/** Requests that are remembered; the oldest is forgotten first. */
const maxOrigins = 10_000
const noHeaders = { get: () => undefined }

/**
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/#invoke-agent-span
 */
export function createRunTraces({
  tracer,
  assistants,
}: {
  readonly tracer: Tracer
  readonly assistants: readonly Pick<AssistantInfo, 'id' | 'name'>[]
}): RunTraces {
  const origins = new Map<ReplyId, TraceParent>()
  return {
    accepted(replyId) {
      origins.set(replyId, tracer.capture())
      const [oldest] = origins.keys()
      if (origins.size > maxOrigins && oldest !== undefined) origins.delete(oldest)
    },
    run({ id, assistantId, conversationId }, work) {
      const parent = origins.get(id) ?? tracer.extract(noHeaders)
      origins.delete(id)
      const attributes: TraceAttributes = {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.provider.name': 'coze',
        'gen_ai.agent.id': assistantId,
        'gen_ai.agent.name': assistants.find((one) => one.id === assistantId)?.name,
        'gen_ai.conversation.id': conversationId,
        'coze_gateway.reply.id': id,
      }
      return tracer.within(
        `invoke_agent ${assistantId}`,
        { kind: 'client', attributes, parent },
        work,
      )
    },
  }
}
