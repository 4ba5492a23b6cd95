/** The parts of a base URL. */
export interface BaseUrl {
  readonly origin: string
  /** With its port, where that is not the usual one. */
  readonly host: string
  readonly hostname: string
  readonly port: number | undefined
  /** Before the path of each call; without a slash at its end. */
  readonly prefix: string
}

/** Reads each base URL once: there are as many as the configuration names. */
export interface BaseUrls {
  of(baseUrl: string): BaseUrl
}

export function createBaseUrls(): BaseUrls {
  const known = new Map<string, BaseUrl>()
  return {
    of(baseUrl) {
      let found = known.get(baseUrl)
      if (found === undefined) {
        found = readBaseUrl(baseUrl)
        known.set(baseUrl, found)
      }
      return found
    },
  }
}

function readBaseUrl(baseUrl: string): BaseUrl {
  const { origin, host, hostname, port, pathname } = new URL(baseUrl)
  return {
    origin,
    host,
    hostname,
    port: port === '' ? undefined : Number(port),
    prefix: pathname.replace(/\/$/, ''),
  }
}
