/** Whether others on the network path can read the traffic. */
export function isPlainHttp(text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'http:' && !isLoopback(url.hostname)
}

/** `https:` anywhere, and `http:` only on loopback. */
export function isHttpsOrLoopback(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

/** The hosts of the API. They share no accounts, apps, keys or ids. */
export function isRegion(host: string): boolean {
  return host === 'api.coze.com' || host === 'api.coze.cn'
}

/** The beginnings of paths of the API and of the console, which people copy with the address. */
const pathsOfCoze = /\/(v\d+|open_api|space|work_flow|sign|store|playground)(\/|$)/

/** The base URL of Coze's API without a trailing slash, or the problem of the address. */
export function readBaseUrl(text: string): { readonly url: string } | { readonly problem: string } {
  const url = URL.parse(text)
  if (url === null) {
    return { problem: 'must be a URL such as https://api.coze.com or https://api.coze.cn' }
  }
  if (url.username !== '' || url.password !== '') {
    return { problem: 'must have no user and no password: credentials stand in "credentials"' }
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { problem: 'must be an https URL' }
  }
  if (url.search !== '' || url.hash !== '') {
    return { problem: 'must have no query and no fragment' }
  }
  const path = url.pathname.replace(/\/+$/, '')
  const cloud = /(?:^|\.)coze\.(com|cn|site)\.?$/.exec(url.hostname)?.[1]
  if (cloud === undefined) {
    return pathsOfCoze.test(path)
      ? { problem: 'must end before the paths of the API and the console, such as /v3 and /space' }
      : { url: `${url.origin}${path}` }
  }
  if (cloud === 'site') {
    const problem =
      "is where published pages live, not the API's host: that is https://api.coze.com or https://api.coze.cn"
    return { problem }
  }
  if (!isRegion(url.host) || url.protocol !== 'https:') {
    return { problem: `is not the API's host: it is https://api.coze.${cloud}` }
  }
  return path === ''
    ? { url: url.origin }
    : { problem: `must have no path: it is https://${url.host}, and the gateway adds the rest` }
}
