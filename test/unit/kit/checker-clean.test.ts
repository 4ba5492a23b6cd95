import { describe, expect, it } from 'vitest'
import { check } from '../../kit/checker.ts'
import type { Step } from '../../kit/history.ts'
import {
  at,
  cancelled,
  completed,
  delta,
  end,
  failed,
  open,
  pick,
  seen,
  send,
  started,
  thought,
  truth,
  truthOf,
  whole,
} from '../../kit/plant.ts'

describe('checker', () => {
  const clean: Readonly<Record<string, readonly Step[]>> = {
    'a live reader': [send(), open('a'), ...seen('a', ...whole), end('a'), truth(...whole)],
    'a reader that resumes': [
      send(),
      open('a'),
      ...seen('a', ...pick(1, 2, 3)),
      end('a', 'cut'),
      open('b', { reader: 'a', replyId: 'r1', after: 'tag.1.3' }),
      ...seen('b', ...pick(4, 5, 6)),
      end('b'),
      truth(...whole),
    ],
    'a reader that goes back to an older cursor, and one that starts anew': [
      send(),
      open('a'),
      ...seen('a', ...pick(1, 2, 3, 4)),
      open('b', { reader: 'a', replyId: 'r1', after: 'tag.1.2' }),
      ...seen('b', ...pick(3, 4)),
      open('c', { reader: 'a', replyId: 'r1' }),
      ...seen('c', ...whole),
      end('c'),
      truth(...whole),
    ],
    'merged deltas': [
      send(),
      open('a'),
      ...seen('a', ...pick(1, 2), at(4, delta(0, 'Hello wor')), ...pick(5, 6)),
      end('a'),
      truth(at(1, started), ...pick(2), at(5, delta(0, 'Hello world')), ...pick(6)),
    ],
    'a log compacted to its end': [
      send(),
      open('a'),
      ...seen('a', ...whole),
      truth(at(1, started), ...pick(2), at(5, delta(0, 'Hello world')), ...pick(6)),
    ],
    'filtered and unfiltered readers of two replies': [
      send(),
      send('r2'),
      open('one', { replyId: 'r2' }),
      open('all', { after: 'tag.1.0' }),
      ...seen('all', ...pick(1, 2), at(7, started, 'r2'), at(8, cancelled, 'r2')),
      ...seen('one', at(7, started, 'r2'), at(8, cancelled, 'r2')),
      end('one'),
      truth(...pick(1, 2), at(9, failed('LIMIT'))),
      truth(at(7, started, 'r2'), at(8, cancelled, 'r2')),
    ],
    'a reader that comes in the middle': [
      send(),
      open('a', {}),
      ...seen('a', ...pick(4, 5, 6)),
      open('b', { after: 'tag.1.3' }),
      ...seen('b', ...pick(4, 5, 6)),
      truth(...whole),
    ],
    'a correction with a cause': [
      send(),
      { type: 'crash' },
      open('a'),
      ...seen('a', ...pick(1, 3, 4), at(1, delta(5, ''), 'r1', 2), at(2, delta(5, '!'), 'r1', 2)),
      ...seen('a', at(3, completed('Hello!'), 'r1', 2)),
      end('a'),
      truth(
        ...pick(1, 3),
        at(1, delta(5, ''), 'r1', 2),
        at(2, delta(5, '!'), 'r1', 2),
        at(3, completed('Hello!'), 'r1', 2),
      ),
    ],
    'text that was shown, lost in a crash, and taken back': [
      send(),
      open('a'),
      ...seen('a', ...pick(1, 2, 3, 4)),
      { type: 'crash' },
      open('b', { reader: 'a', replyId: 'r1', after: 'tag.1.4' }),
      ...seen('b', at(1, thought(0, ''), 'r1', 2), at(2, delta(0, ''), 'r1', 2)),
      ...seen('b', at(3, failed('UPSTREAM_OUTCOME_UNKNOWN'), 'r1', 2)),
      end('b'),
      truth(
        at(1, started),
        at(1, thought(0, ''), 'r1', 2),
        at(2, delta(0, ''), 'r1', 2),
        at(3, failed('UPSTREAM_OUTCOME_UNKNOWN'), 'r1', 2),
      ),
    ],
    'surrogate pairs that stay whole': [
      send(),
      open('a'),
      ...seen(
        'a',
        at(1, started),
        at(2, delta(0, '😀')),
        at(3, delta(2, '🎉')),
        at(4, completed('😀🎉')),
      ),
      truth(at(1, started), at(3, delta(0, '😀🎉')), at(4, completed('😀🎉'))),
    ],
    'a repeated key, one chat, documented codes, a lost answer': [
      send('r1', 'alice', 'k'),
      { type: 'send', as: 'alice', idempotencyKey: 'k' },
      send('r1', 'alice', 'k'),
      send('r9', 'bob', 'k'),
      { type: 'chats', replyId: 'r1', count: 1 },
      { type: 'refused', where: 'union', code: 'IDEMPOTENCY_MISMATCH' },
      { type: 'refused', where: 'request', code: 'UNAUTHENTICATED' },
      { type: 'refused', where: 'stream', code: 'SUBSCRIPTION_TOKEN_EXPIRED' },
      {
        ...truthOf(whole),
        snapshot: { status: 'COMPLETED', text: 'Hello world', reasoning: 'hm' },
      },
      { type: 'truth', as: 'bob', replyId: 'r9', events: [at(1, failed('EXPIRED'), 'r9')] },
    ],
  }
  it.each(Object.entries(clean))('lets %s pass', (_, history) => {
    expect(check(history)).toEqual([])
  })
})
