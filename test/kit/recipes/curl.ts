import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createFrameParser } from '../clients/sse-frames.ts'
import { dataOf, eventOf } from './recipe-client.ts'
import type { OpenRecipe } from './ten-steps.ts'

/** The program curl, with the options of docs/clients.md. */
export const curl: OpenRecipe = (url, token) => {
  const headers = ['-H', `authorization: Bearer ${token}`]
  const json = ['-H', 'content-type: application/json']
  const run = async (...args: readonly string[]) => {
    const { stdout } = await promisify(execFile)('curl', ['-s', url, ...headers, ...args])
    return dataOf(Object(JSON.parse(stdout)))
  }
  return {
    request: (query, variables) => run(...json, '-d', JSON.stringify({ query, variables })),
    async *subscribe(query, variables) {
      const body = JSON.stringify({ query, variables })
      const stream = [
        '-sN',
        url,
        ...headers,
        ...json,
        '-H',
        'accept: text/event-stream',
        '-d',
        body,
      ]
      const child = spawn('curl', stream, { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      try {
        const parse = createFrameParser()
        for await (const chunk of child.stdout) {
          for (const { event, data = 'null' } of parse(chunk)) {
            if (event === 'complete') return
            if (event === 'next') yield eventOf(Object(JSON.parse(data)))
          }
        }
      } finally {
        child.kill()
        await exited
      }
    },
    async upload(query, input, { name, text }) {
      const directory = await mkdtemp(join(tmpdir(), 'upload-'))
      try {
        await writeFile(join(directory, name), text)
        const operations = { query, variables: { input: { ...input, file: null } } }
        const fields = [
          `operations=${JSON.stringify(operations)}`,
          'map={"0":["variables.input.file"]}',
          `0=@${join(directory, name)};type=text/plain`,
        ]
        const form = fields.flatMap((field) => ['-F', field])
        return await run('-H', 'graphql-require-preflight: 1', ...form)
      } finally {
        await rm(directory, { recursive: true })
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
