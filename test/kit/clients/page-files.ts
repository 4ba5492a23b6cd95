import { request } from 'undici'

/** What a browser accepts that opens a page. */
export const browserHeaders = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

export interface LoadedFile {
  readonly url: string
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
}

/** A page and all that it loads, modules of modules included. */
export async function loadPage(url: string) {
  const page = await load(url, browserHeaders)
  const files: LoadedFile[] = []
  const known = new Set<string>()
  const wanted = [...page.text.matchAll(/<(?:link|script)[^>]* (?:href|src)="([^"]+)"/g)].map(
    ([, link = '']) => new URL(link, url).href,
  )
  for (let link = wanted.pop(); link !== undefined; link = wanted.pop()) {
    if (known.has(link)) continue
    known.add(link)
    const file = await load(link, {})
    files.push(file)
    if (!String(file.headers['content-type']).startsWith('text/javascript')) continue
    for (const [, from = ''] of file.text.matchAll(/\bfrom '([^']+)'/g)) {
      wanted.push(new URL(from, link).href)
    }
  }
  return { page, files }
}

async function load(url: string, headers: Readonly<Record<string, string>>): Promise<LoadedFile> {
  const response = await request(url, { headers })
  const { statusCode: status } = response
  return { url, status, headers: response.headers, text: await response.body.text() }
}
