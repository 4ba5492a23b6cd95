export const mediaTypes = {
  json: 'application/json',
  graphql: 'application/graphql-response+json',
  events: 'text/event-stream',
  /** Subscriptions as Apollo Client reads them. */
  multipart: 'multipart/mixed;subscriptionSpec=1.0',
  html: 'text/html',
} as const

/** The messages of a WebSocket. No `accept` header names this type. */
export const webSocketMessages = 'graphql-transport-ws'

export type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes] | typeof webSocketMessages

const offered: readonly MediaType[] = Object.values(mediaTypes)

/** The `Accept` headers of most clients. */
const usual: ReadonlyMap<string, readonly MediaType[]> = new Map(
  ['*/*', ...offered].map((accept) => [accept, rank(accept)]),
)

/** The offered types that the client accepts, the preferred one first. A stream or a page must be asked for by name. */
export function acceptedTypes(accept: string | null | undefined): readonly MediaType[] {
  const wanted = accept?.trim() || '*/*'
  return usual.get(wanted) ?? rank(wanted)
}

function rank(accept: string): readonly MediaType[] {
  const wanted = accept.toLowerCase().split(',').map(parseRange)
  const ranked = wanted
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality || specificity(b.type) - specificity(a.type))
    .flatMap(({ type }) => offered.filter((offer) => matches(type, offer)))
  return [...new Set(ranked)]
}

function parseRange(range: string): { type: string; quality: number } {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
  const parameter = (name: string) =>
    parameters
      .find((one) => one.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .replace(/^"(.*)"$/, '$1')
  const charset = parameter('charset')
  if (charset !== undefined && charset !== 'utf-8') return { type, quality: 0 }
  const quality = Number(parameter('q') ?? 1) || 0
  const isMultipart = type === 'multipart/mixed' && parameter('subscriptionspec') === '1.0'
  return { type: isMultipart ? mediaTypes.multipart : type, quality }
}

function specificity(type: string): number {
  return type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2
}

function matches(range: string, offer: MediaType): boolean {
  const isAny = range === '*/*' || range === 'application/*'
  return range === offer || (isAny && offer.startsWith('application/'))
}
