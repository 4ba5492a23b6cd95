import type { CozeClient, CozeRequest } from '../../../src/coze/client.ts'

type Asked = Pick<CozeRequest, 'call' | 'target'>

/** Answers every call with `body`, and remembers what it was asked, as JSON would say it. */
export function stub(body: Readonly<Record<string, unknown>> = {}) {
  const asked: unknown[] = []
  const remember = ({ call: _call, target: _target, ...rest }: Asked) => {
    asked.push(JSON.parse(JSON.stringify(rest)))
  }
  const client: CozeClient = {
    async request(request) {
      remember(request)
      return request.read({ body, logId: 'log', serverTime: undefined })
    },
    async upload() {
      throw new Error('no file is uploaded here')
    },
    async stream({ timeouts: _timeouts, ...request }) {
      remember(request)
    },
    async [Symbol.asyncDispose]() {},
  }
  return { client, asked }
}
