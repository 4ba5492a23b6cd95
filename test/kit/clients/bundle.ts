import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = new URL('../../../', import.meta.url)
/** What the package exports to pages, from its sources. */
const alias = Object.fromEntries(
  ['client', 'react', 'ai-sdk'].map((name) => [
    `coze-graphql-gateway/${name}`,
    fileURLToPath(new URL(`src/${name}/${name}.ts`, root)),
  ]),
)

/** A program of a page with all that it imports, as a script. */
export async function bundle(
  source: { readonly file: string } | { readonly text: string },
): Promise<string> {
  const input =
    'file' in source
      ? { entryPoints: [fileURLToPath(new URL(source.file, root))] }
      : {
          stdin: { contents: source.text, loader: 'tsx', resolveDir: fileURLToPath(root) } as const,
        }
  const { outputFiles } = await build({
    ...input,
    alias,
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    nodePaths: [fileURLToPath(new URL('node_modules', root))],
  })
  return outputFiles[0]?.text ?? ''
}
