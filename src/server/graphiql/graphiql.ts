import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { fetcherScript } from './fetcher.ts'
import { graphiqlTabs } from './tabs.ts'
import type { HttpResponse, HttpRequest } from '../http.ts'

/** The address of an asset is the page's own address with this parameter, so it works wherever the page is mounted. */
const assetParameter = 'asset'
/** The only generated asset. That of the demo holds the credential of a caller. */
const startName = 'start.js'
const packed = promisify(gzip)

export interface GraphiQLOptions {
  /** Headers that the header editor starts with, such as a demo caller's `Authorization`. Default: a hint. */
  readonly demoHeaders?: Readonly<Record<string, string>> | undefined
}

/** GraphiQL from our own files. Neither the page nor its scripts come from another host. */
export interface GraphiQL {
  page(): Promise<HttpResponse>
  /** Returns undefined for a request that is not for an asset. */
  asset(request: HttpRequest): Promise<HttpResponse> | undefined
}

interface Asset {
  readonly type: string
  /** Whether the asset holds a credential. */
  readonly isSecret: boolean
  readonly bytes: Buffer
  readonly gzipped: Buffer
}

interface Assets {
  /** Changes with every asset, so that assets without a credential can be cached for ever. */
  readonly version: string
  readonly byName: ReadonlyMap<string, Asset>
}

/** The scripts are 9 MB, so they are loaded at the first request. */
export function createGraphiQL({ demoHeaders }: GraphiQLOptions = {}): GraphiQL {
  let loading: Promise<Assets> | undefined
  const load = () => (loading ??= loadAssets(demoHeaders))

  return {
    async page() {
      const { version } = await load()
      return {
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': contentSecurityPolicy,
          'cache-control': 'no-cache',
          'referrer-policy': 'no-referrer',
        },
        body: pageHtml(`?${assetParameter}=${version}/`),
      }
    },
    asset(request) {
      const path = request.url.searchParams.get(assetParameter)
      return path === null ? undefined : load().then((assets) => assetAnswer(assets, path, request))
    },
  }
}

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self' blob:",
  // The editor measures and places its lines by inline styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function pageHtml(base: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Coze GraphQL gateway</title>
    <link rel="icon" href="${base}favicon.ico">
    <link rel="stylesheet" href="${base}graphiql.css">
    <style>body { margin: 0 } #root { height: 100vh }</style>
  </head>
  <body>
    <noscript>GraphiQL needs JavaScript.</noscript>
    <div id="root"></div>
    <script src="${base}graphiql.js"></script>
    <script src="${base}${startName}"></script>
  </body>
</html>
`
}

async function loadAssets(demoHeaders: GraphiQLOptions['demoHeaders']): Promise<Assets> {
  const { css, editorWorkerService, favicon, graphqlWorker, js, jsonWorker } =
    await import('@graphql-yoga/render-graphiql/graphiql')
  const script = 'text/javascript; charset=utf-8'
  const icon = Buffer.from(favicon.slice(favicon.indexOf(',') + 1), 'base64')
  const files: readonly (readonly [name: string, type: string, content: string | Buffer])[] = [
    ['graphiql.js', script, js],
    ['graphiql.css', 'text/css; charset=utf-8', css],
    ['editor.worker.js', script, editorWorkerService],
    ['json.worker.js', script, jsonWorker],
    ['graphql.worker.js', script, graphqlWorker],
    [startName, script, startScript(demoHeaders)],
    ['favicon.ico', 'image/x-icon', icon],
  ]
  const byName = new Map<string, Asset>()
  const hash = createHash('sha256')
  for (const [name, type, content] of files) {
    const bytes = Buffer.from(content)
    hash.update(bytes)
    const isSecret = name === startName && demoHeaders !== undefined
    byName.set(name, { type, isSecret, bytes, gzipped: await packed(bytes) })
  }
  return { version: hash.digest('base64url').slice(0, 16), byName }
}

/** Stands above each operation where no credential is given. */
const signInPrompt = `# Put your token in place of TOKEN, in Headers below.
# Then re-fetch the schema by the button at the left.

`

/** Its own address says where the workers are. */
function startScript(demoHeaders: GraphiQLOptions['demoHeaders']): string {
  const headers = JSON.stringify(demoHeaders ?? { Authorization: 'Bearer TOKEN' }, undefined, 2)
  const prompt = demoHeaders === undefined ? signInPrompt : ''
  const options = {
    title: 'Coze GraphQL gateway',
    defaultHeaders: headers,
    defaultEditorToolsVisibility: 'headers',
    defaultTabs: graphiqlTabs.map(({ query }) => ({ query: prompt + query, headers })),
  }
  return `const base = document.currentScript.src.replace(/[^/]*$/, '')
const workers = { editorWorkerService: 'editor', json: 'json', graphql: 'graphql' }
self.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) => base + workers[label] + '.worker.js',
}
${fetcherScript}
const options = ${JSON.stringify(options)}
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), { ...options, fetcher, storage })
`
}

function assetAnswer(
  { version, byName }: Assets,
  path: string,
  { headers }: HttpRequest,
): HttpResponse {
  const prefix = `${version}/`
  const asset = path.startsWith(prefix) ? byName.get(path.slice(prefix.length)) : undefined
  if (!asset) return { status: 404, headers: {} }
  const etag = `"${version}"`
  const caching: Record<string, string> = asset.isSecret
    ? { vary: 'Accept-Encoding', 'cache-control': 'private, no-store' }
    : { etag, vary: 'Accept-Encoding', 'cache-control': 'public, max-age=31536000, immutable' }
  if (!asset.isSecret && headers.get('if-none-match') === etag)
    return { status: 304, headers: caching }
  const isGzip = /\bgzip\b/.test(headers.get('accept-encoding') ?? '')
  return {
    status: 200,
    headers: {
      ...caching,
      'content-type': asset.type,
      ...(isGzip && { 'content-encoding': 'gzip' }),
    },
    body: isGzip ? asset.gzipped : asset.bytes,
  }
}
