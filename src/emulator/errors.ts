/** A refusal in Coze's envelope `{ code, msg, detail }`; see coze-api.md §9. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: number
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A refusal of the token endpoint, which has an envelope of its own. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = status
  }
}

export class DeadTokenError extends Error {
  override readonly name = 'DeadTokenError'
}

const statuses: ReadonlyMap<number, number> = new Map([
  [4000, 400],
  [4003, 400],
  [4004, 400],
  [4007, 400],
  [4009, 503],
  [4101, 403],
  [4200, 404],
  [5000, 500],
])

/** The HTTP status that an error code suggests (coze-api.md §9, the hint column). */
export function suggestedStatus(code: number): number {
  return statuses.get(code) ?? 200
}
