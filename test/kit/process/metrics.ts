import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { GatewayProcess } from './gateway.ts'

/** What the gateway's metrics say now, as text. */
export async function readMetrics({ metricsUrl }: GatewayProcess): Promise<string> {
  if (metricsUrl === undefined) throw new Error('the gateway serves no metrics')
  const [response] = (await once(get(metricsUrl), 'response')) as [IncomingMessage]
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

/** The value of one line, such as `coze_gateway_subscriptions_open`; 0 if it is not there. */
export async function readMeter(gateway: GatewayProcess, line: string): Promise<number> {
  const found = (await readMetrics(gateway)).split('\n').find((row) => row.startsWith(`${line} `))
  return Number(found?.slice(line.length + 1) ?? 0)
}
