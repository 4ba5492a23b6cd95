import { type AssetFile, type Assets, packAssets, scriptType, styleType } from '../assets.ts'
import { fetcherScript } from './fetcher.ts'
import { graphiqlTabs } from './tabs.ts'
import type { HttpResponse, HttpRequest } from '../http.ts'

/** The address of an asset is the page's own address with this parameter, so it works wherever the page is mounted. */
const assetParameter = 'asset'
/** The only generated asset. That of the demo holds the credential of a caller. */
const startName = 'start.js'

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
      return path === null ? undefined : load().then((assets) => assets.answer(path, request))
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
  const icon = Buffer.from(favicon.slice(favicon.indexOf(',') + 1), 'base64')
  const script = (name: string, content: string): AssetFile => ({ name, type: scriptType, content })
  return await packAssets([
    script('graphiql.js', js),
    { name: 'graphiql.css', type: styleType, content: css },
    script('editor.worker.js', editorWorkerService),
    script('json.worker.js', jsonWorker),
    script('graphql.worker.js', graphqlWorker),
    { ...script(startName, startScript(demoHeaders)), isSecret: demoHeaders !== undefined },
    { name: 'favicon.ico', type: 'image/x-icon', content: icon },
  ])
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
const asked = new URL(location.href).searchParams.get('query')
if (asked) options.defaultTabs.unshift({ query: asked, headers: options.defaultHeaders })
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), { ...options, fetcher, storage })
`
}
