import { checkKeySets } from '../auth/key-set.ts'
import { tryLane } from '../compose/lane.ts'
import { tryStoreServer } from '../compose/persistence.ts'
import { checkConfigOnline } from '../compose/probe.ts'
import type { Config } from '../config/config.ts'
import type { UpstreamFailure } from '../domain/upstream.ts'
import { createFetchJson } from '../lib/fetch-json.ts'

/** Tries the servers of the store and of the lane, the key set of every issuer and every assistant, and prints the results. Returns 1 if something is wrong. */
export async function runOnlineCheck(
  config: Config,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const { signal } = new AbortController()
  const fetchJson = createFetchJson(config.proxy)
  const server = await tryStoreServer(config)
  if (server !== undefined) {
    const { url, failure } = server
    const found = failure === undefined ? ['connection    made'] : []
    await print(entry(url, found, failure === undefined ? [] : [failure]))
  }
  const lane = await tryLane(config)
  if (lane !== undefined) {
    const { hosts, failure } = lane
    const found = failure === undefined ? ['connection    made'] : []
    await print(entry(`lane ${hosts}`, found, failure === undefined ? [] : [failure]))
  }
  const keySets = await checkKeySets(config.issuers, { fetchJson, signal })
  for (const { issuer, url, failure, keys, usable } of keySets) {
    const problem = failure === undefined ? noKeys(keys.length, usable) : describe(failure)
    const found = failure === undefined ? plural(keys.length) : 'none'
    await print(entry(issuer, [`${'key set'.padEnd(12)}  ${url}: ${found}`], problem))
  }
  const found = await checkConfigOnline(config, {}, signal)
  for (const { assistantId, strategy, layers, problems, runsMessage } of found) {
    const lines = layers.map(({ layer, keyedBy }) => `${layer.padEnd(12)}  ${keyedBy}`)
    if (runsMessage) lines.push('message       sent, and run')
    await print(entry(`${assistantId} (${strategy})`, lines, problems))
  }
  const isWrong =
    server?.failure !== undefined ||
    lane?.failure !== undefined ||
    keySets.some(({ failure, usable }) => failure !== undefined || usable === 0) ||
    found.some(({ problems }) => problems.length > 0)
  return isWrong ? 1 : 0
}

function entry(title: string, lines: readonly string[], problems: readonly string[]): string {
  return [title, ...lines, ...problems.map((problem) => `problem: ${problem}`)].join('\n  ') + '\n'
}

function plural(count: number): string {
  return count === 1 ? '1 key' : `${count} keys`
}

function noKeys(count: number, usable: number): readonly string[] {
  if (count === 0) return ['the key set is empty: every token of this issuer is refused']
  return usable === 0 ? ['no key fits the "algorithms" of this issuer: every token is refused'] : []
}

function describe({ call, host, kind, systemCode, httpStatus }: UpstreamFailure) {
  const facts = [
    `${call} at ${host}`,
    systemCode ?? kind,
    httpStatus === undefined ? undefined : `HTTP ${httpStatus}`,
  ].filter((fact) => fact !== undefined)
  const advice = 'check "issuer" and "jwksUrl"'
  return [`the keys of the issuer cannot be fetched: ${advice} (${facts.join(', ')})`]
}
