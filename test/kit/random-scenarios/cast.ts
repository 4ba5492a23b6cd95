import { randomUUID } from 'node:crypto'
import { apiKey, asBackend } from '../credentials/api-keys.ts'
import { createHmacIssuer, type HmacIssuer } from '../credentials/issuer.ts'
import type { Person } from '../process/system.ts'
import type { Random } from '../random.ts'

/** Everybody who may come, of every kind of credential. */
export interface Cast {
  /** What the configuration says of them. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly operator: Person
  /** Comes in; whoever has been here before comes again. `guest`: obtains a guest's token. */
  enter(random: Random, guest: () => Promise<string>): Promise<Person>
  headersOf(token: string): Readonly<Record<string, string>>
}

/** People who are taken for one another: by their spelling, and by who vouches for them. */
const lookAlikes = ['eve', 'Eve', 'eve ', 'ｅｖｅ', 'e\u0301ve', 'éve', 'eve/', 'eve%00', 'eve:1']

export async function createCast(): Promise<Cast> {
  const one = createHmacIssuer({ issuer: 'https://one.test' })
  const two = createHmacIssuer({ issuer: 'https://two.test' })
  const many = createHmacIssuer({ issuer: 'https://many.test' })
  const keys = [
    apiKey('shop'),
    apiKey('mall', { backend: 'mall' }),
    apiKey('mall-one', { backend: 'mall', tenant: 'one' }),
  ]
  const people = new Map<string, Person>()
  const headers = new Map<string, Readonly<Record<string, string>>>()

  async function bearer(issuer: HmacIssuer, subject: string, tenant?: string) {
    const name = JSON.stringify([issuer.issuer, tenant, subject])
    const token = await issuer.sign(subject, tenant === undefined ? {} : { tenant })
    // Whoever has come in meanwhile is the same.
    return people.get(name) ?? keep({ name, token })
  }

  function keep(person: Person): Person {
    people.set(person.name, person)
    return person
  }

  return {
    settings: {
      issuers: [one.settings, two.settings, { ...many.settings, tenantClaim: 'tenant' }],
      apiKeys: keys.map(({ settings }) => settings),
      guests: { key: randomUUID(), perMinutePerAddress: 1_000_000, perMinute: 1_000_000 },
    },
    operator: {
      name: 'operator',
      token: await one.sign('operator', { scope: 'coze-gateway:operator' }),
    },
    async enter(random, guest) {
      const subject = random.pick(lookAlikes)
      switch (random.int(6)) {
        case 0:
          return bearer(one, subject)
        case 1:
          return bearer(two, subject)
        case 2:
          return bearer(many, subject, random.pick(['one', 'two', 'one ']))
        case 3: {
          const token = await guest()
          return keep({ name: `guest ${people.size}`, token })
        }
        default: {
          const { key, settings } = random.pick(keys)
          const token = JSON.stringify([settings.id, subject])
          headers.set(token, Object.fromEntries(asBackend(key, encodeURIComponent(subject))))
          return people.get(token) ?? keep({ name: token, token })
        }
      }
    },
    headersOf: (token) => headers.get(token) ?? { authorization: `Bearer ${token}` },
  }
}
