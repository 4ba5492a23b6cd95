/** The client as a hook of React: `coze-graphql-gateway/react`. */
export { useChat } from './use-chat.ts'
export type { UseChat, UseChatOptions } from './use-chat.ts'
export type { ChatMessage, ChatSnapshot, ChatStatus } from './chat.ts'
