import type { TraceFacts } from './tracer.ts'

/**
 * The name of each fact in a trace. OpenTelemetry's conventions are used only here. Names outside of them begin with `coze`
 * (facts of the platform) or `coze_gateway` (facts of the gateway).
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/ (1.41, in development)
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/
 */
export const attributeNames: Readonly<Record<keyof TraceFacts, string>> = {
  method: 'http.request.method',
  route: 'url.template',
  host: 'server.address',
  port: 'server.port',
  operationType: 'graphql.operation.type',
  operationName: 'graphql.operation.name',
  assistantId: 'gen_ai.agent.id',
  assistantName: 'gen_ai.agent.name',
  conversationId: 'gen_ai.conversation.id',
  replyId: 'coze_gateway.reply.id',
  upstreamChatId: 'gen_ai.response.id',
  finishReasons: 'gen_ai.response.finish_reasons',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  upstreamCode: 'coze.code',
  logId: 'coze.log_id',
  systemCode: 'coze_gateway.system_code',
  session: 'coze_gateway.session',
  caller: 'coze_gateway.caller',
}

export const errorType = 'error.type'

/** The span of a run. It invokes an agent of another system, so its kind is client. */
export const invokeAgent = {
  nameOf: (assistantName: string) => `invoke_agent ${assistantName}`,
  attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.provider.name': 'coze' },
} as const
