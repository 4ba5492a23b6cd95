/** `https:` anywhere, `http:` only where nobody can listen on the way. */
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

/** Why an address cannot be the base URL of Coze's API; undefined if it can. */
export function baseUrlProblem(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'must be a URL such as https://api.coze.com or https://api.coze.cn'
  if (!isHttpsOrLoopback(text)) return 'must be an https URL (http only on loopback)'
  if (url.search !== '' || url.hash !== '') return 'must have no query and no fragment'
  const console = /^(www|ws)\.(coze\.(com|cn))$/.exec(url.hostname)
  if (console !== null) return `is not the API's host: it is https://api.${console[2]}`
  return undefined
}
