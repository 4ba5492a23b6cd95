/**
 * The different values of the cookie of that name in a `Cookie` header: several, if somebody tries to shadow it.
 *
 * Only space and tab are trimmed, and nothing is unquoted or folded: where a server trims more than browsers do, a
 * cookie that no `__Host-` rule guards passes for one that it does.
 */
export function readCookie(header: string, name: string): readonly string[] {
  const values = header
    .split(';')
    .map((pair) => /^[ \t]*([^=]*)=(.*)$/s.exec(pair))
    .filter((match) => match?.[1] === name)
    .map((match) => (match?.[2] ?? '').replace(/[ \t]+$/, ''))
  return [...new Set(values)]
}
