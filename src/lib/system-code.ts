const maxCauses = 5
/** Codes of Node, OpenSSL and undici: words of the libraries themselves, never of a peer. */
const form = /^[A-Z][A-Z0-9_/]{1,63}$/

/** The code of an error, or of the first of its causes that has one. Undefined: none looks like a code. */
export function findSystemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < maxCauses; depth += 1) {
    if ('code' in at && typeof at.code === 'string' && form.test(at.code)) return at.code
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return undefined
}

/** Whether a code is one of Node's TLS layer or of OpenSSL's certificate checks (X509_V_ERR_*). */
export function isTlsCode(code: string | undefined): boolean {
  return (
    code !== undefined &&
    (/^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|EPROTO$)/.test(code) ||
      /SELF_SIGNED|HOSTNAME_MISMATCH|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$/.test(code))
  )
}
