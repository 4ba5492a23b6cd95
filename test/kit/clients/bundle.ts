import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'

const root = new URL('../../../', import.meta.url)
/** What the package exports to pages, from its sources. */
const alias = Object.fromEntries(
  ['client', 'react', 'ai-sdk'].map((name) => [
    `coze-graphql-gateway/${name}`,
    fileURLToPath(new URL(`src/${name}/${name}.ts`, root)),
  ]),
)

export type Program = { readonly file: string } | { readonly text: string }

/** A program of a page with all that it imports, as a script. */
export async function bundle(source: Program, options: BuildOptions = {}): Promise<string> {
  const input: BuildOptions =
    'file' in source
      ? { entryPoints: [fileURLToPath(new URL(source.file, root))] }
      : { stdin: { contents: source.text, loader: 'tsx', resolveDir: fileURLToPath(root) } }
  const { outputFiles } = await build({
    ...input,
    alias,
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    nodePaths: [fileURLToPath(new URL('node_modules', root))],
    ...options,
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}

/** The client as one script for a page or a mini-program, where it is the global `client`. */
export const bundleClient = () =>
  bundle(
    { file: 'src/client/client.ts' },
    {
      format: 'iife',
      globalName: 'client',
      // A script that is evaluated has variables of its own.
      footer: { js: 'globalThis.client = client' },
      target: 'es2020',
    },
  )

/** What a bundler makes of a program that imports these names of the client. */
export const bundleOf = (...names: readonly string[]) =>
  bundle(
    { text: `export { ${names.join(', ')} } from 'coze-graphql-gateway/client'` },
    { minify: true, target: 'es2022' },
  )
