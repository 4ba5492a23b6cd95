/**
 * The script that sends operations, as text for the browser. GraphiQL's own fetcher shows a stack for every failure, and
 * nothing of the reply to a message. This one shows a failure as a sentence, and lets `text` and `status` of the reply grow in
 * the result of `sendMessage`, in the same tab.
 */
export const fetcherScript = `
const followed = 'subscription ($replyId: ID!) { replies(replyId: $replyId) { __typename replyId ... on ReplyDelta { kind offset text } ... on ReplyCompleted { text } ... on ReplyFailed { failure { code message } } reply { status } } }'
const reconnectMs = 1000
const failed = (message) => ({ errors: [{ message }] })

function kindOf({ operationName }, { documentAST }) {
  const operations = (documentAST?.definitions ?? []).filter(({ kind }) => kind === 'OperationDefinition')
  const named = operations.find(({ name }) => name?.value === operationName)
  return (named ?? operations[0])?.operation ?? 'query'
}

async function post(params, headers, more, signal) {
  return await fetch(location.pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, ...more },
    body: JSON.stringify(params),
    signal,
  })
}

async function ask(params, headers) {
  let response
  try {
    response = await post(params, headers, { accept: 'application/json' })
  } catch {
    return failed('The gateway cannot be reached, or a header cannot be sent as it is.')
  }
  try {
    return await response.json()
  } catch {
    return failed('The gateway answered with HTTP status ' + response.status + '.')
  }
}

/** The results of a subscription. After a lost connection it continues after the last event. */
async function* subscribe(params, headers) {
  const leaving = new AbortController()
  let lastEventId
  let waitMs = reconnectMs
  try {
    for (;;) {
      try {
        const resume = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
        const accept = { accept: 'text/event-stream, application/json;q=0.5' }
        const response = await post(params, headers, { ...accept, ...resume }, leaving.signal)
        if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
          yield await response.json()
          if (response.status !== 429 && response.status !== 503) return
        } else {
          let rest = ''
          for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
            const frames = (rest + chunk).split('\\n\\n')
            rest = frames.pop()
            for (const frame of frames) {
              const fields = Object.fromEntries(frame.split('\\n').map((line) => [line.split(':', 1)[0], line.slice(line.indexOf(':') + 1).trim()]))
              if (fields.id !== undefined) lastEventId = fields.id
              if (fields.retry !== undefined) waitMs = Number(fields.retry)
              if (fields.event === 'complete') return
              if (fields.event === 'next') yield JSON.parse(fields.data)
            }
          }
        }
      } catch {
        yield failed('The connection is lost. The subscription resumes when it is back.')
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  } finally {
    leaving.abort()
  }
}

/** Results of \`replies\`, each with the texts until now. */
async function* withTexts(results) {
  const texts = {}
  for await (const result of results) {
    const { __typename, replyId, kind, offset, text } = result.data?.replies ?? {}
    if (replyId !== undefined && typeof text === 'string') {
      const reply = (texts[replyId] ??= {})
      if (__typename === 'ReplyCompleted') reply.answer = text
      else if (kind === 'REASONING') reply.reasoning = (reply.reasoning ?? '').slice(0, offset) + text
      else if (kind === 'ANSWER') reply.answer = (reply.answer ?? '').slice(0, offset) + text
    }
    yield { result, texts }
  }
}

async function* send(params, headers) {
  const result = await ask(params, headers)
  yield result
  const [name, sent] = Object.entries(result.data ?? {}).find(([, field]) => field?.reply?.id) ?? []
  if (sent === undefined) return
  const { reply } = sent
  const events = subscribe({ query: followed, variables: { replyId: reply.id } }, headers)
  for await (const { result: event, texts } of withTexts(events)) {
    const { failure, reply: { status } = {} } = event.data?.replies ?? {}
    const { answer, reasoning } = texts[reply.id] ?? {}
    // What was asked for keeps its place, and is as it is now.
    const now = { status: status ?? reply.status, text: answer ?? reply.text, reasoning, failure }
    const grown = { ...reply, ...JSON.parse(JSON.stringify(now)) }
    const errors = event.errors ?? result.errors
    yield { ...result, ...(errors && { errors }), data: { ...result.data, [name]: { ...sent, reply: grown } } }
  }
}

async function* follow(params, headers) {
  for await (const { result, texts } of withTexts(subscribe(params, headers))) {
    yield Object.keys(texts).length === 0 ? result : { ...result, texts }
  }
}

function fetcher(params, options = {}) {
  const { query, variables, operationName } = params
  const request = { query, variables, operationName }
  const headers = options.headers ?? {}
  if (!query?.trim()) return Promise.resolve(failed('There is no operation to run: write one first.'))
  const kind = kindOf(params, options)
  if (kind === 'subscription') return follow(request, headers)
  return kind === 'mutation' ? send(request, headers) : ask(request, headers)
}

/** Settings such as colours are kept. Each window has its own tabs. Credentials are not kept. */
const forgotten = /:(tabState|query|variables|headers|operationName|shouldPersistHeaders)$/
const storage = {
  get length() { return localStorage.length },
  key: (index) => localStorage.key(index),
  getItem: (key) => (forgotten.test(key) ? null : localStorage.getItem(key)),
  setItem: (key, value) => { if (!forgotten.test(key)) localStorage.setItem(key, value) },
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
}
`
