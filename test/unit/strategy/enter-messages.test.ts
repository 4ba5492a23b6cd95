import { describe, expect, it } from 'vitest'
import { formLines } from '../../../src/strategy/enter-messages.ts'

const field = (name: string) => ({ name, type: 'string', required: true })
const two = [field('city'), field('day')]

describe('the answer to a form of Studio', () => {
  it.each([
    ['JSON', '{"city":"Bern","day":"Monday"}', 'city:Bern\nday:Monday'],
    ['JSON with other values', '{"city":["a"],"day":3}', 'city:["a"]\nday:3'],
    ['JSON with several lines', '{"city":"a\\nb: c"}', 'city:a b: c'],
    ['lines', 'city:Bern\nday:Monday', 'city:Bern\nday:Monday'],
    ['lines with spaces', 'city : Bern \r\nday:  Monday', 'city:Bern\nday:Monday'],
    ['a line that goes on', 'city: Bern\nin winter\nday: 10:30', 'city:Bern in winter\nday:10:30'],
    ['no lines', 'Bern', 'Bern'],
    ['a list', '["Bern"]', '["Bern"]'],
  ])('is made of %s', (_, text, expected) => {
    expect(formLines(text, two)).toBe(expected)
  })

  it.each([
    ['its bare value', 'Bern', 'city:Bern'],
    ['a value with a colon', 'at 10:30', 'city:at 10:30'],
    ['a value of several lines', 'Bern\nin winter', 'city:Bern in winter'],
    ['its line', 'city: Bern', 'city:Bern'],
    ['JSON', '{"city":"Bern"}', 'city:Bern'],
  ])('with one field is made of %s', (_, text, expected) => {
    expect(formLines(text, [field('city')])).toBe(expected)
  })
})
