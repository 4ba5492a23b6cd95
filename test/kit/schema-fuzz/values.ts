import {
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  getNamedType,
} from 'graphql'
import type { Random } from '../random.ts'
import { hostileNumbers, hostileText, spoilCursor, spoilId, wrongValue } from './hostile-values.ts'
import { capital, type Knowledge } from './knowledge.ts'
import { Upload } from './operation.ts'

/** Where a value goes. */
export interface Place {
  /** Of the argument or the input field. */
  readonly name: string
  readonly type: GraphQLInputType
  /** What the field answers that takes it. */
  readonly answers: GraphQLNamedType
}

/** Who asks, and how ill-meant. */
export interface Asking {
  readonly who: string
  /** Stands in every text that this session sends, and in none that another one may see. */
  readonly marker: string
  /** The chance of every single value to be hostile. */
  readonly malice: number
  readonly random: Random
  readonly knowledge: Knowledge
  readonly schema: GraphQLSchema
}

/** Messages that the emulator's scripted model answers in all the ways it has. */
const scripts: readonly ((marker: string) => string)[] = [
  (marker) => `my note is ${marker}`,
  () => 'what is my note?',
  (marker) => `/think about ${marker}\n/followups ${marker}`,
  (marker) => `/two ${marker}`,
  () => '/long 40',
  (marker) => `/slow 40 ${'word '.repeat(12)}${marker}`,
  (marker) => `/fail 5000 ${marker}`,
  (marker) => `/error 4011 ${marker}`,
  (marker) => `/ask Which ${marker}?`,
  () => '/tool lookup',
  (marker) => `/silent 20ms ${marker}`,
  (marker) => `${marker} 你好 😀`,
]

/** A value for a place: one that fits, unless malice decides otherwise. Undefined: nothing is sent. */
export function makeValue(place: Place, asking: Asking): unknown {
  const { random, malice } = asking
  const { type } = place
  if (isNonNullType(type)) {
    return random.chance(malice / 4)
      ? wrongValue(random)
      : fill({ ...place, type: type.ofType }, asking)
  }
  if (random.chance(0.05)) return null
  return fill(place, asking)
}

function fill(place: Place, asking: Asking): unknown {
  const { random, malice } = asking
  const { type } = place
  if (isNonNullType(type)) return makeValue(place, asking)
  if (isListType(type)) {
    const most = random.chance(malice) ? random.pick([0, 101, 400]) : 1 + random.int(3)
    const item = singular(place.name)
    return Array.from({ length: most }, () =>
      makeValue({ ...place, name: item, type: type.ofType }, asking),
    )
  }
  if (isInputObjectType(type)) return makeObject(place, asking)
  if (random.chance(malice / 4)) return wrongValue(random)
  if (isEnumType(type)) {
    return random.chance(malice) ? hostileText(random) : random.pick(type.getValues()).name
  }
  switch (type.name) {
    case 'Boolean':
      return random.chance(0.5)
    case 'Int':
    case 'Float':
      return random.chance(malice) ? random.pick(hostileNumbers) : 1 + random.int(20)
    case 'Upload':
      return makeFile(asking)
    case 'JSON':
      return makeJson(asking)
    default:
      return makeText(place, asking)
  }
}

function makeObject(place: Place, asking: Asking): unknown {
  const { random, malice } = asking
  const { type } = place
  if (!isInputObjectType(type)) return undefined
  const made: Record<string, unknown> = {}
  for (const field of Object.values(type.getFields())) {
    const isNeeded = isNonNullType(field.type) && field.defaultValue === undefined
    if (!isNeeded && !random.chance(0.35)) continue
    if (random.chance(malice / 10)) continue
    made[field.name] = makeValue({ ...place, name: field.name, type: field.type }, asking)
  }
  if (random.chance(malice / 5)) made[hostileName(random)] = wrongValue(random)
  return made
}

/** Of a member that nobody knows; a name, so that the document can be read. */
function hostileName(random: Random): string {
  return random.pick(['sessionId', 'session', 'isOperator', 'constructor', 'toString', 'x'])
}

function makeFile({ random, malice, marker }: Asking): Upload {
  const name = random.chance(malice) ? hostileText(random) : `${marker}.txt`
  const mediaType = random.chance(malice)
    ? random.pick(['', 'x', 'text/html; charset="', 'application/x-msdownload', '*/*'])
    : random.pick(['text/plain', 'image/png', 'application/pdf'])
  return new Upload(name, mediaType, Buffer.alloc(random.pick([0, 1, 200, 20_000]), marker))
}

function makeJson({ random, malice, marker }: Asking): unknown {
  if (random.chance(malice)) return wrongValue(random)
  return random.pick([marker, 1, true, null, [marker], { note: marker }])
}

function makeText(place: Place, asking: Asking): unknown {
  const { random, malice, marker, who, knowledge } = asking
  const { name } = place
  const named = kindsOfId(place, asking)
  if (named) {
    const known = knowledge.recall(who, named, random)
    if (!random.chance(malice)) {
      if (name.startsWith('assistant') && random.chance(0.6)) return random.pick(['flow', 'bot'])
      return known ?? Buffer.from(`Reply:${marker}`).toString('base64url')
    }
    const other = knowledge.steal(who, named, random)
    const wrong = knowledge.recall(who, knowledge.kinds('id:'), random)
    return (
      random.pick([other, wrong, spoilId(known, random), spoilId(other, random)]) ??
      hostileText(random)
    )
  }
  if (/^(after|before)$|[cC]ursor$/.test(name)) {
    const kinds = kindsOfCursor(place, asking)
    const known = knowledge.recall(who, kinds, random)
    if (!random.chance(malice)) return known ?? null
    const other = knowledge.steal(who, kinds, random)
    return random.pick([other, spoilCursor(known, random), spoilCursor(other, random)])
  }
  if (random.chance(malice)) return hostileText(random)
  if (name === 'text') return random.pick(scripts)(marker)
  if (/[kK]ey$/.test(name)) return `${marker}-${random.int(40)}`
  return random.pick([marker, knowledge.recall(who, [`text:${name}`], random) ?? marker])
}

/** Which ids are asked for: by the name of the place, else by what its field answers. Undefined: none. */
function kindsOfId(
  { name, type, answers }: Place,
  { schema, knowledge }: Asking,
): readonly string[] | undefined {
  const all = knowledge.kinds('id:')
  const found = /^(?:(\w+)Id|id)s?$/.exec(name)
  if (!found) return getNamedType(type).name === 'ID' ? all : undefined
  const wanted = found[1] === undefined ? answers.name : capital(found[1])
  const exact = all.filter((kind) => kind === `id:${wanted}` || kind.endsWith(wanted))
  if (exact.length > 0) return exact
  return isObjectType(schema.getType(wanted)) ? [`id:${wanted}`] : all
}

/** Cursors of what the field answers, of its rows, and of all its kinds; the end of the log is the viewer's. */
function kindsOfCursor({ answers }: Place, { schema }: Asking): readonly string[] {
  const near = new Set<string>([answers.name])
  if (isInterfaceType(answers) || isUnionType(answers)) {
    near.add('Viewer')
    for (const type of schema.getPossibleTypes(answers)) near.add(type.name)
  }
  if (isObjectType(answers)) {
    for (const field of Object.values(answers.getFields())) near.add(getNamedType(field.type).name)
  }
  return [...near].map((name) => `cursor:${name}`)
}

function singular(name: string): string {
  return name.endsWith('s') ? name.slice(0, -1) : name
}
