import { expect, it } from 'vitest'
import { sharedNames } from '../check/unique-exports.ts'

it('two files that export one name are told of, unless one is the value of the other as a type', () => {
  const sources = new Map([
    ['a.ts', 'export interface Proof {}\nexport function open() {}\nexport type Kind = 1\n'],
    ['b.ts', 'export type Proof = 1\nexport async function open() {}\nexport const Kind = 1\n'],
    ['c.ts', 'interface Proof {}\nfunction open() {}\n'],
  ])
  expect(sharedNames(sources)).toEqual([
    'the type Proof is exported by a.ts and b.ts',
    'the value open is exported by a.ts and b.ts',
  ])
})

it('each engine of the store may have its own part of one name, but only one', () => {
  const text = 'export interface Table {}\n'
  const [one, other] = ['src/store/sqlite/table.ts', 'src/store/postgres/table.ts']
  expect(
    sharedNames(
      new Map([
        [one, text],
        [other, text],
      ]),
    ),
  ).toEqual([])
  const third = 'src/store/postgres/second.ts'
  expect(
    sharedNames(
      new Map([
        [one, text],
        [other, text],
        [third, text],
      ]),
    ),
  ).toHaveLength(1)
})

it('the client has the words of the public schema, which the gateway may have too', () => {
  const text = 'export interface Message {}\n'
  const ofClient = 'src/client/schema.ts'
  expect(
    sharedNames(
      new Map([
        ['src/domain.ts', text],
        [ofClient, text],
      ]),
    ),
  ).toEqual([])
  const second = 'src/react/message.ts'
  expect(
    sharedNames(
      new Map([
        [ofClient, text],
        [second, text],
      ]),
    ),
  ).toHaveLength(1)
})
