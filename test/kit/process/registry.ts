import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'

/** A registry for npm that has what is installed in the repository, and nothing else. It needs no network. */
export interface Registry extends AsyncDisposable {
  readonly url: string
}

const root = new URL('../../../', import.meta.url)
const lock = z.object({ packages: z.record(z.string(), z.object({})) })
const manifest = z.looseObject({ name: z.string(), version: z.string() })

export async function openRegistry(): Promise<Registry> {
  const text = readFileSync(new URL('package-lock.json', root), 'utf8')
  const folders = Object.keys(lock.parse(JSON.parse(text)).packages)
  const server = createServer((request, response) => {
    const { host = '' } = request.headers
    const { pathname, search } = new URL(request.url ?? '/', `http://${host}`)
    const answer = search === '' ? describe(pathname, host) : pack(search.slice(1))
    answer.then(
      (body) => response.end(body),
      () => response.writeHead(404).end('{}'),
    )
  })

  /** All versions of a package that are installed, at the top and within other packages. */
  async function describe(pathname: string, host: string): Promise<string> {
    const name = decodeURIComponent(pathname.slice(1))
    const installed = folders.filter((path) => path.endsWith(`node_modules/${name}`))
    const found = await Promise.all(
      installed.map(async (folder) => {
        const file = new URL(`${folder}/package.json`, root)
        const { scripts: _, ...rest } = manifest.parse(JSON.parse(await readFile(file, 'utf8')))
        const tarball = `http://${host}/-?${encodeURIComponent(folder)}`
        return [rest.version, { ...rest, dist: { tarball } }] as const
      }),
    )
    const [latest] = found[0] ?? []
    if (latest === undefined) throw new Error(`${name} is not installed`)
    const versions = Object.fromEntries(found)
    return JSON.stringify({ name, 'dist-tags': { latest }, versions })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function pack(encoded: string): Promise<Buffer> {
  const folder = fileURLToPath(new URL(decodeURIComponent(encoded), root))
  const args = ['-cz', '-C', folder, '--exclude=./node_modules', '--transform=s,^\\.,package,', '.']
  const options = { encoding: 'buffer', maxBuffer: 512 * 1024 * 1024 } as const
  const { stdout } = await promisify(execFile)('tar', args, options)
  return stdout
}
