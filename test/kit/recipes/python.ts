import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { dataOf, eventOf } from './recipe-client.ts'
import type { OpenRecipe } from './ten-steps.ts'

const example = fileURLToPath(new URL('../../../docs/examples/python', import.meta.url))

/** Reads one call as JSON, and writes each result as a line of JSON. */
const driver = `
import json, sys
sys.path.insert(0, ${JSON.stringify(example)})
sys.dont_write_bytecode = True
from gateway import Gateway, Refused
def say(result): print(json.dumps(result), flush=True)
call = json.load(sys.stdin)
gateway = Gateway(call["url"], call["token"])
try:
    if call["kind"] == "subscribe":
        for data in gateway.subscribe(call["query"], call["variables"]): say({"data": data})
    elif call["kind"] == "upload":
        file = call["file"]
        say({"data": gateway.upload(call["query"], call["variables"], file["name"], file["text"].encode())})
    else:
        say({"data": gateway.request(call["query"], call["variables"])})
except Refused as refused:
    say({"errors": refused.errors})
`

/** Whether this machine can run the example. */
export function findPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import httpx'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The example of docs/examples/python, in a process for each call. */
export const python: OpenRecipe = (url, token) => {
  async function* call(what: object) {
    const child = spawn('python3', ['-c', driver], { stdio: ['pipe', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    child.stdin.end(JSON.stringify({ url, token, ...what }))
    try {
      for await (const line of createInterface({ input: child.stdout }))
        yield Object(JSON.parse(line))
    } finally {
      child.kill()
      await exited
    }
  }
  async function first(what: object) {
    for await (const result of call(what)) return dataOf(result)
    throw new Error('the program has printed nothing')
  }
  return {
    request: (query, variables = {}) => first({ kind: 'request', query, variables }),
    upload: (query, input, file) =>
      first({ kind: 'upload', query, variables: { input: { ...input, file: null } }, file }),
    async *subscribe(query, variables) {
      for await (const result of call({ kind: 'subscribe', query, variables }))
        yield eventOf(result)
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
