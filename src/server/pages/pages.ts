import type { Assets } from '../assets.ts'
import { packAssets } from '../assets.ts'
import { acceptedTypes, mediaTypes } from '../accept.ts'
import type { HttpRequest, HttpResponse } from '../http.ts'
import { moduleExtension, readPageFiles } from './page-files.ts'

/** The pages that the gateway serves, each at its own path. */
export type PageName = 'chat' | 'operator'

export interface PagesOptions {
  readonly chat: boolean
  readonly operator: boolean
  /** The path of GraphQL on the gateway's own server. */
  readonly path: string
  /** Whether visitors without a credential can become guests. */
  readonly hasGuests: boolean
  /** Whether the demo's callers and switches are at `pages/demo`. */
  readonly isDemo: boolean
}

/** The chat page, the operators' console, and what they load. Nothing comes from another host. */
export interface Pages {
  has(name: PageName): boolean
  /** Returns undefined if the page is off, or the client is no browser. */
  page(name: PageName, request: HttpRequest): Promise<HttpResponse> | undefined
  /** Undefined: both pages are off. */
  readonly asset: ((request: HttpRequest) => Promise<HttpResponse>) | undefined
}

const assetPath = '/pages/'

export function createBrowserPages(options: PagesOptions): Pages {
  let loading: Promise<Assets> | undefined
  const load = () => (loading ??= readPageFiles().then(packAssets))

  return {
    has: (name) => options[name],
    page(name, request) {
      const isBrowser = acceptedTypes(request.headers.get('accept'))[0] === mediaTypes.html
      if (!options[name] || !isBrowser) return undefined
      return load().then(({ version }) => ({
        status: 200,
        headers: pageHeaders,
        body: pageHtml(name, `pages/${version}/`, graphqlFrom(request.url.pathname), options),
      }))
    },
    asset:
      options.chat || options.operator
        ? async (request) => {
            const { pathname } = request.url
            const path = pathname.slice(pathname.indexOf(assetPath) + assetPath.length)
            return (await load()).answer(path, request)
          }
        : undefined,
  }

  /** Relative, since a proxy may have removed a prefix. */
  function graphqlFrom(pathname: string): string {
    const { path } = options
    return pathname.startsWith(`${path}/`) ? `..${path.slice(path.lastIndexOf('/'))}` : `.${path}`
  }
}

const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cache-control': 'no-cache',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  vary: 'Accept',
}

const titles: Readonly<Record<PageName, string>> = {
  chat: 'Coze GraphQL gateway',
  operator: "Operators' console",
}

function pageHtml(
  name: PageName,
  base: string,
  graphql: string,
  { isDemo, hasGuests, chat, operator }: PagesOptions,
): string {
  const facts = [
    `data-graphql="${graphql}"`,
    ...(isDemo ? ['data-demo'] : []),
    ...(hasGuests ? ['data-guests'] : []),
    ...(chat ? ['data-chat'] : []),
    ...(operator ? ['data-operator'] : []),
  ]
  return `<!doctype html>
<html lang="en" ${facts.join(' ')}>
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${titles[name]}</title>
    <link rel="icon" href="${base}icon.svg">
    <link rel="stylesheet" href="${base}pages.css">
    <script type="module" src="${base}pages/${name}/main${moduleExtension}"></script>
  </head>
  <body class="${name}">
    <noscript>This page needs JavaScript.</noscript>
  </body>
</html>
`
}
