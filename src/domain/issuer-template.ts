/** The `iss` of tokens whose tenants have issuers of their own: one hole, which a claim of the token must fill. */
export interface IssuerTemplate {
  readonly before: string
  /** The claim whose value stands in the hole. */
  readonly claim: string
  readonly after: string
  /** The values that are accepted. Undefined: every one. */
  readonly values?: readonly string[] | undefined
}

const template = /^([^{}]*)\{(\w{1,64})\}([^{}]*)$/
/** No slash: a value fills one segment of a path, or a part of it. */
const holeValue = /^[\w.-]{1,128}$/
const microsoft = /^https:\/\/(login\.microsoftonline\.[a-z]+|sts\.windows\.net)\//

/** The template of an issuer that is one; undefined for an exact `iss`. */
export function parseTemplate(
  issuer: string,
  values: readonly string[] | undefined,
): IssuerTemplate | undefined {
  const [, before, claim, after] = template.exec(issuer) ?? []
  if (before === undefined || claim === undefined || after === undefined) return undefined
  return { before, claim, after, values }
}

/** What stands in the hole of an `iss` that fits the template; undefined if it does not fit. */
export function matchTemplate({ before, after }: IssuerTemplate, iss: string): string | undefined {
  if (!iss.startsWith(before) || !iss.endsWith(after)) return undefined
  const value = iss.slice(before.length, iss.length - after.length)
  return iss.length > before.length + after.length && holeValue.test(value) ? value : undefined
}

/** Why no token has such an `iss`; undefined if one may. */
export function issuerProblem(text: string): string | undefined {
  const hole = template.exec(text)?.[2]
  if (hole === undefined ? /[{}<>*]|\$\(/.test(text) : /[<>*]|\$\(/.test(text)) {
    return 'is a template that is not understood: it must be the exact "iss" of the tokens, or have one hole such as {tid} for a claim'
  }
  if (hole !== undefined && hole !== 'tid' && microsoft.test(text)) {
    return 'must have the hole {tid}: that is the claim in which these tokens name their tenant'
  }
  if (text.trim() !== text) return 'must have no spaces around it'
  if (text.includes('/.well-known/')) return 'must end before /.well-known/'
  if (/^https:\/\/login\.microsoftonline\.[a-z]+\/(common|organizations|consumers)\b/.test(text)) {
    return "must have the tenant's id, or {tid}: no token is issued by common, organizations or consumers"
  }
  return undefined
}
