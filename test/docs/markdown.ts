import { readdirSync, readFileSync } from 'node:fs'

export const root = new URL('../../', import.meta.url)

export interface Heading {
  readonly level: number
  readonly text: string
}

export interface CodeBlock {
  /** What stands behind the opening fence, such as `sh`. */
  readonly language: string
  readonly text: string
  /** Of the opening fence, counted from 1. */
  readonly line: number
}

export interface Link {
  readonly target: string
  readonly line: number
}

export interface MarkdownFile {
  readonly path: string
  readonly lines: readonly string[]
  readonly headings: readonly Heading[]
  readonly blocks: readonly CodeBlock[]
  readonly links: readonly Link[]
  /** What a link may name behind `#`: headings as GitHub names them, and `<a id="…">`. */
  readonly anchors: ReadonlySet<string>
}

/** The name that GitHub gives a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-')
}

export function parseMarkdown(path: string, text: string): MarkdownFile {
  const lines = text.split('\n')
  const headings: Heading[] = []
  const blocks: CodeBlock[] = []
  const links: Link[] = []
  const anchors = new Set<string>()
  let open: { readonly fence: string; readonly language: string; readonly from: number } | undefined
  for (const [at, line] of lines.entries()) {
    const [, fence = '', language = ''] = /^\s*(`{3,})(.*)$/.exec(line) ?? []
    if (open !== undefined) {
      if (fence !== open.fence || language !== '') continue
      blocks.push({
        language: open.language,
        text: lines.slice(open.from, at).join('\n'),
        line: open.from,
      })
      open = undefined
      continue
    }
    if (fence !== '') {
      open = { fence, language: language.trim(), from: at + 1 }
      continue
    }
    const [, hashes = '', heading = ''] = /^(#{1,6}) (.*)$/.exec(line) ?? []
    if (hashes !== '') {
      headings.push({ level: hashes.length, text: heading })
      anchors.add(slugOf(heading))
    }
    for (const [, id = ''] of line.matchAll(/<a id="([^"]+)">/g)) anchors.add(id)
    const prose = line.replace(/`[^`]*`/g, '``')
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g))
      links.push({ target, line: at + 1 })
  }
  if (open !== undefined) throw new Error(`${path}:${open.from}: the code block does not end`)
  return { path, lines, headings, blocks, links, anchors }
}

/** README in both languages, and everything in `docs/`. */
export function readMarkdownFiles(): readonly MarkdownFile[] {
  const docs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'))
  const paths = ['README.md', 'README.zh-CN.md', ...docs.sort().map((name) => `docs/${name}`)]
  return paths.map((path) => parseMarkdown(path, readFileSync(new URL(path, root), 'utf8')))
}
