import type { Browser } from 'playwright-core'
import { bundle } from '../clients/bundle.ts'
import { until } from '../process/until.ts'
import type { Chat, OpenChat } from './chat-steps.ts'
import type { File as SmallFile } from './recipe-client.ts'

/** What both programs begin with. The page asks the test for its tokens. */
const client = `
import { StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { browserTransport, createChatClient, uploadFile } from 'coze-graphql-gateway/client'

const options = Object.fromEntries(new URL(location.href).searchParams)
const { assistantId, chatId } = options
const client = createChatClient({ url: '/graphql', token: () => window.askToken(), transport: browserTransport() })
function show(Chat) {
  createRoot(document.body).render(<StrictMode><Chat /></StrictMode>)
}
`

const reactProgram = `${client}
import { useChat } from 'coze-graphql-gateway/react'

const statuses = { submitted: 'busy', streaming: 'busy', loading: 'busy', 'action-required': 'asks' }

function Chat() {
  const chat = useChat({ client, conversationId: chatId, assistantId })
  useEffect(() => {
    window.chat = {
      id: () => chat.conversationId,
      shown: () => ({
        answers: chat.messages.filter(({ role, text }) => role === 'ASSISTANT' && text !== '').map(({ text }) => text),
        status: statuses[chat.status] ?? chat.status,
        code: chat.error?.code,
      }),
      async say(text, file) {
        const attachments = file ? [await uploadFile(client, file, { assistantId })] : []
        await chat.send(text, { attachmentIds: attachments.map(({ id }) => id) })
      },
      stop: chat.stop,
      answerTool: (output) => {
        const calls = chat.messages.at(-1).reply.toolCalls
        return chat.submitToolOutputs(calls.map(({ callId }) => ({ callId, output })))
      },
    }
  })
}
show(Chat)
`

const aiSdkProgram = `${client}
import { useChat } from '@ai-sdk/react'
import { lastAssistantMessageIsCompleteWithToolCalls } from 'ai'
import { createChatTransport } from 'coze-graphql-gateway/ai-sdk'

const id = chatId ?? crypto.randomUUID()
const transport = createChatTransport(client, { assistantId })
const messages = chatId ? await transport.loadMessages(chatId) : []
const isAsked = (part) => part.type === 'dynamic-tool' && part.state === 'input-available'
const textOf = ({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')

function Chat() {
  const chat = useChat({
    id,
    transport,
    messages,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  })
  const call = chat.messages.at(-1)?.parts.find(isAsked)
  const statuses = { submitted: 'busy', streaming: 'busy', ready: call ? 'asks' : 'ready', error: 'failed' }
  useEffect(() => {
    window.chat = {
      id: () => id,
      shown: () => ({
        answers: chat.messages.filter(({ role }) => role === 'assistant').map(textOf).filter((text) => text !== ''),
        status: statuses[chat.status],
        code: chat.error?.code,
      }),
      async say(text, file) {
        const chosen = new DataTransfer()
        if (file) chosen.items.add(file)
        void chat.sendMessage({ text, files: chosen.files })
      },
      stop: chat.stop,
      answerTool: (output) => chat.addToolOutput({ tool: call.toolName, toolCallId: call.toolCallId, output }),
    }
  })
}
show(Chat)
`

/** A page with a recipe's hook, in StrictMode, in a browser of its own. */
function pageOf(program: string, browser: () => Browser): OpenChat {
  let script: Promise<string> | undefined
  return async ({ url, assistantId, token, chatId }) => {
    const code = await (script ??= bundle({ text: program }))
    const context = await browser().newContext()
    const page = await context.newPage()
    const site = new URL('/app/', url).href
    await page.route(`${site}**`, (route) =>
      route.fulfill(
        route.request().url().endsWith('/app.js')
          ? { contentType: 'text/javascript', body: code }
          : {
              contentType: 'text/html',
              body: '<body><script type="module" src="app.js"></script>',
            },
      ),
    )
    await page.exposeFunction('askToken', token)
    const query = new URLSearchParams({ assistantId, ...(chatId !== undefined && { chatId }) })
    await page.goto(`${site}?${query.toString()}`)
    await until(
      async () => await page.evaluate(() => Reflect.has(window, 'chat')),
      'the hook to be there',
    )
    const call = async (method: keyof Chat, text = '', file?: SmallFile) =>
      await page.evaluate(
        async ([name, words, content]) => {
          const type = 'text/plain'
          const chosen = content && new File([content.text], content.name, { type })
          return await Reflect.get(window, 'chat')[name](words, chosen)
        },
        [method, text, file] as const,
      )
    return {
      id: () => call('id'),
      shown: () => call('shown'),
      say: (text, file) => call('say', text, file),
      stop: () => call('stop'),
      answerTool: (output) => call('answerTool', output),
      [Symbol.asyncDispose]: () => context.close(),
    }
  }
}

export const reactHook = (browser: () => Browser) => pageOf(reactProgram, browser)
export const aiSdk = (browser: () => Browser) => pageOf(aiSdkProgram, browser)
