import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { until } from '../process/until.ts'

/** What a command has printed so far. */
export interface Curl extends Disposable {
  readonly output: string
  /** Resolves once the output fits. */
  shows(pattern: RegExp): Promise<void>
}

/** Does what `curl` would do with a printed command line: not every machine has one. Knows `-H`, `-d`, `-s` and `-N`. */
export async function runCurl(commandLine: string): Promise<Curl> {
  const [command, ...words] = [...commandLine.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare ?? '',
  )
  const headers: Record<string, string> = {}
  let url = ''
  let body: string | undefined
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (word === '-H') {
      const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(words[(at += 1)] ?? '') ?? []
      headers[name] = value
    } else if (word === '-d') body = words[(at += 1)] ?? ''
    else if (!/^-[sN]+$/.test(word)) url = word
  }
  if (command !== 'curl' || url === '') throw new Error(`not a command for curl: ${commandLine}`)
  const call = request(url, { method: body === undefined ? 'GET' : 'POST', headers })
  call.end(body)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let output = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => (output += text))
  response.on('error', () => {})
  return {
    get output() {
      return output
    },
    shows: async (pattern) => {
      await until(() => pattern.test(output), `${String(pattern)} in: ${output}`)
    },
    [Symbol.dispose]: () => response.destroy(),
  }
}
