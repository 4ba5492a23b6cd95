import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const entry = fileURLToPath(new URL('../../../src/client/client.ts', import.meta.url))

/** The client as one script for a page or a mini-program, where it is the global `client`. */
export async function bundleClient(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'client',
    // A script that is evaluated has variables of its own.
    footer: { js: 'globalThis.client = client' },
    target: 'es2020',
  })
  return outputFiles.map(({ text }) => text).join('')
}

/** What a bundler makes of a program that imports one name of the client. */
export async function bundleOf(name: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${name} } from ${JSON.stringify(entry)}`, resolveDir: '/' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  return outputFiles[0]?.contents ?? new Uint8Array()
}
