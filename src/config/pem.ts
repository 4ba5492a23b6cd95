/**
 * The PEM text in a pasted text. Environment variables and consoles turn line breaks into `\n` or spaces, and leave
 * quotes, a byte order mark or carriage returns around it.
 */
export function mendPem(text: string): string {
  return text
    .replace(/^\ufeff/, '')
    .trim()
    .replace(/^(["'`])([\s\S]*)\1$/, '$2')
    .replaceAll(/\\+r|\r/g, '')
    .replaceAll(/\\+n/g, '\n')
    .replaceAll(
      /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g,
      (_, label: string, body: string) => {
        const lines = body.replaceAll(/\s/g, '').match(/.{1,64}/g) ?? []
        return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
      },
    )
}

/** The mistake in a text that is no PEM key even after mending. Returns undefined for an unknown mistake. */
export function pemSlip(text: string): string | undefined {
  const [, label = ''] = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text) ?? []
  if (/ENCRYPTED/.test(text)) {
    return 'it is encrypted with a passphrase, which "openssl pkey -in FILE" takes off'
  }
  if (label === 'OPENSSH PRIVATE KEY') {
    return 'it is in the format of OpenSSH, which "ssh-keygen -p -m PEM -f FILE" converts'
  }
  if (label === 'CERTIFICATE') return 'it is a certificate'
  if (label.endsWith('PUBLIC KEY')) return 'it is a public key'
  if (label.endsWith('PRIVATE KEY')) {
    return text.includes(`-----END ${label}-----`)
      ? 'the lines between BEGIN and END are damaged'
      : 'it has no END line, so only a part of it arrived'
  }
  if (text.startsWith('LS0tLS1CRUdJTi')) return 'it was encoded in base64 once more: decode it'
  if (/^[A-Za-z0-9+/=\s]{100,}$/.test(text)) return 'it has no BEGIN and END lines'
  if (/^[^\n]*[\\/][^\n]*$|^[^\n]+\.(pem|key|p8|txt|der)$/i.test(text)) {
    return 'it looks like the path of a file, which is written { "file": "path" }'
  }
  return undefined
}
