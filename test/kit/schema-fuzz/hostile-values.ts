import type { Random } from '../random.ts'

const nul = '\u0000'

/** Text that something on its way may not like. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\n\r\t',
  nul,
  `before${nul}after`,
  '\u0001\u0007\u001b[31mred\u001b[0m\u007f',
  '\ud800',
  'half \udc00 of a pair',
  '\ud83d\ude00'.repeat(50),
  'e\u0301'.repeat(40) + 'Z\u0351\u0321'.repeat(40),
  '\u202eright to left\u202c \u200f\u200b\ufeff',
  '\u2028\u2029',
  '\ufffe\uffff',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'NaN',
  'true',
  '-1',
  '0',
  "'; DROP TABLE replies; --",
  "' OR '1'='1",
  '" OR ""="',
  '*',
  '%00%0a%0d',
  '../../../../etc/passwd',
  'file:///etc/passwd',
  '${7*7}{{7*7}}#{7*7}<%= 7*7 %>',
  '$(id) `id` ; id | id',
  '<script>alert(1)</script>',
  '"}],"errors":[{"message":"x"}]}',
  'data: {"data":null}\n\nevent: complete\ndata:\n\n',
  'line\r\nSet-Cookie: a=b\r\n\r\n',
  '{"$gt":""}',
  '[object Object]',
  '(a+)+$'.repeat(20),
  'a'.repeat(40) + '!',
  '%s%n%x%p',
  '\\u0000\\x00\\',
  '我的名字是什么？',
]

export function hostileText(random: Random): string {
  if (random.chance(0.12))
    return random.pick(['a', '\ud83d\ude00', '{', '\\', '"', nul]).repeat(long(random))
  if (random.chance(0.2)) return random.pick(hostileTexts) + random.pick(hostileTexts)
  return random.pick(hostileTexts)
}

/** Lengths at and around what may be limits. */
function long(random: Random): number {
  return random.pick([255, 256, 257, 512, 513, 4_096, 16_385, 32_768, 32_769, 70_000])
}

export const hostileNumbers: readonly number[] = [
  -1,
  0,
  101,
  1_000_000,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 64,
  0.5,
  1e308,
  5e-324,
  -0,
]

/** Anything but what was asked for. */
export function wrongValue(random: Random): unknown {
  return random.pick([
    () => null,
    () => true,
    () => random.pick(hostileNumbers),
    () => hostileText(random),
    () => [],
    () => ({}),
    () => [[[null]]],
    () => [hostileText(random), null, 1],
    () => ({ id: hostileText(random), toString: 1 }),
    () => hostileObject(random),
    () => nested(random.pick([3, 17, 200])),
    () => Array.from({ length: random.pick([101, 500]) }, (_, at) => `item-${at}`),
  ])()
}

/** Names that mean something to the engine below. */
function hostileObject(random: Random): unknown {
  const value = JSON.stringify(hostileText(random))
  const parsed: unknown = JSON.parse(
    `{ "__proto__": { "isOperator": true, "text": ${value} }, "constructor": { "prototype": {} }, "then": 1 }`,
  )
  return parsed
}

export function nested(depth: number): unknown {
  let value: unknown = 0
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { in: value }
  return value
}

/** What is no id, or nearly one. */
export function spoilId(id: string | undefined, random: Random): string {
  const plain = Buffer.from(id ?? 'UmVwbHk6eA', 'base64url').toString('latin1')
  const [, type = 'Reply', value = 'x'] = /^(\w+):(.*)$/s.exec(plain) ?? []
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  return random.pick([
    () => hostileText(random),
    () => encode(`${type}:`),
    () => encode(`:${value}`),
    () => encode(`${type}:${value}:${value}`),
    () => encode(`${type}:${value}${nul}`),
    () => encode(`${type.toLowerCase()}:${value}`),
    () => encode(`__proto__:${value}`),
    () => encode(`${type}:${hostileText(random)}`),
    () =>
      encode(
        `${random.pick(['Reply', 'Message', 'Conversation', 'Assistant', 'Row', 'Query'])}:${value}`,
      ),
    () => `${id}=`,
    () => `${id} `,
    () => `${id}A`,
    () => `${id}`.slice(0, -1),
    () => `${id}`.replaceAll(/[-_]/g, '+'),
    () => encodeURIComponent(`${id}/..`),
    () => `${value}`,
  ])()
}

/** What is no cursor, or nearly one: `<tag>.<epoch>.<seq>` of the event log, or one of a connection's rows. */
export function spoilCursor(cursor: string | undefined, random: Random): string {
  const [tag = 'AAAAAAAA', epoch = '1', seq = '1'] = (cursor ?? 'AAAA.1.1').split('.')
  if (cursor !== undefined && !cursor.includes('.') && random.chance(0.7))
    return spoilId(cursor, random)
  return random.pick([
    () => hostileText(random),
    () => `${tag}.${epoch}.${Number(seq) + 1_000_000}`,
    () => `${tag}.${Number(epoch) + 1}.${seq}`,
    () => `${tag}.${epoch}.9007199254740993`,
    () => `${tag}.99999999999999999999.${seq}`,
    () => `${tag}.${epoch}.-1`,
    () => `${tag}.${epoch}.1e3`,
    () => `${tag}.${epoch}.0${seq}`,
    () => `${tag}.0x1.${seq}`,
    () => `${tag}.${epoch}`,
    () => `${tag}.${epoch}.${seq}.${seq}`,
    () => `${tag}..`,
    () => `..`,
    () => `${'A'.repeat(tag.length)}.${epoch}.${seq}`,
    () => `${tag.toLowerCase()}.${epoch}.${seq}`,
    () => `${tag}.${epoch}.${seq} `,
    () => `${tag}.${epoch}.\u0661`,
  ])()
}
