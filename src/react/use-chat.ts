import { useState, useSyncExternalStore } from 'react'
import type { ChatClient } from '../client/client.ts'
import { type Chat, type ChatOptions, type ChatSnapshot, createChat } from './chat.ts'

export interface UseChatOptions extends ChatOptions {
  readonly client: ChatClient
}

export type UseChat = ChatSnapshot &
  Pick<Chat, 'send' | 'stop' | 'regenerate' | 'submitToolOutputs' | 'loadEarlier'>

/**
 * One conversation as state of a component: its messages, the reply that grows, and what can be done. It goes on after a
 * reload and follows what other tabs and devices say. The component that calls it decides when: each instance shows the
 * conversation by itself.
 * @example
 * const { messages, status, send, stop } = useChat({ client, conversationId })
 */
export function useChat(options: UseChatOptions): UseChat {
  const [held, hold] = useState(() => open(options))
  const isOther = held.client !== options.client || held.conversationId !== options.conversationId
  const current = isOther ? open(options) : held
  // The state of this component, set while it renders: React renders it again at once.
  if (isOther) hold(current)
  const { chat } = current
  const snapshot = useSyncExternalStore(chat.subscribe, chat.snapshot, chat.snapshot)
  const { send, stop, regenerate, submitToolOutputs, loadEarlier } = chat
  return { ...snapshot, send, stop, regenerate, submitToolOutputs, loadEarlier }
}

function open({ client, ...options }: UseChatOptions) {
  return { client, conversationId: options.conversationId, chat: createChat(client, options) }
}
