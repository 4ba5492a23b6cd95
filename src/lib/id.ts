import { randomBytes } from 'node:crypto'

/** Makes unguessable ids; a parameter, so that tests and simulations are repeatable. */
export type NewId = () => string

/** 128 random bits as 22 characters of base64url. */
export const randomId: NewId = () => randomBytes(16).toString('base64url')
