import type { DialectName } from '../emulator/options.ts'
import type { DemoCaller } from './callers.ts'

const send =
  'mutation($input:SendMessageInput!){sendMessage(input:$input){__typename ... on SendMessageSuccess{reply{id}} ... on UserError{code message}}}'
const stream =
  'subscription{replies{cursor __typename ... on ReplyDelta{offset text} ... on ReplyCompleted{text} ... on ReplyFailed{failure{code message}}}}'

/** The text that the demo prints: for each caller the commands that show that callers do not meet. */
export function welcome(url: string, dialect: DialectName, callers: readonly DemoCaller[]): string {
  const graphql = `${url}/graphql`
  const lines = [
    `Chat as ${callers.map(({ name }) => name).join(' and ')}, side by side: ${url}/`,
    `GraphiQL, signed in as ${callers[0]?.name}: ${graphql}`,
    `Operators' console: ${url}/operator`,
    '',
    'The assistants are "workflow" (the default) and "bot". Tokens are good for 24 hours.',
    ...(dialect === 'studio' ? studio : []),
  ]
  for (const { name, token } of callers) {
    const auth = `-H 'authorization: Bearer ${token}' -H 'content-type: application/json'`
    lines.push(
      '',
      `# ${name}: stream all replies (leave it running in one terminal)`,
      `curl -sN ${graphql} ${auth} -H 'accept: text/event-stream' -d '${JSON.stringify({ query: stream })}'`,
      `# ${name}: send (in another)`,
      `curl -s ${graphql} ${auth} -d '${JSON.stringify({
        query: send,
        variables: { input: { text: question(name), assistantId: 'workflow' } },
      })}'`,
    )
  }
  lines.push(
    '',
    'Send "what is my secret?" as Alice and as Bob: Alice gets it back, Bob does not.',
    'Put "bot" for "workflow" to talk to the Bot. Send "/help" for what else the demo understands:',
    `${dialect === 'cloud' ? 'tool calls, ' : ''}questions, forms, files, slow answers, failures. Ctrl-C ends the demo.`,
  )
  return `${lines.join('\n')}\n`
}

const studio: readonly string[] = [
  'The stand-in is a self-hosted Coze Studio: one personal token is the identity of everybody, and unguessable',
  'conversation names and user ids alone keep Alice and Bob apart.',
]

function question(name: string): string {
  return name === 'Alice' ? 'my secret is swordfish' : 'what is my secret?'
}
