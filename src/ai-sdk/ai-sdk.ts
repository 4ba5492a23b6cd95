/** The client as a transport of the AI SDK: `coze-graphql-gateway/ai-sdk`. */
export { createChatTransport } from './chat-transport.ts'
export type { ChatTransportOptions, GatewayChatTransport } from './chat-transport.ts'
