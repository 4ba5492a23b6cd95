import { describe, expect, it } from 'vitest'
import { check } from '../../kit/checker.ts'
import type { Step } from '../../kit/history.ts'
import {
  asks,
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
  truth,
  truthOf,
  whole,
} from '../../kit/plant.ts'

describe('checker', () => {
  const planted: Readonly<Record<string, readonly [string, readonly Step[]]>> = {
    'a gap in the text': [
      '1: a: tag.1.5 of r1 leaves a gap',
      [send(), open('a'), ...seen('a', ...pick(1, 2, 3, 5, 6)), truth(...whole)],
    ],
    'an event that never came, in the middle': [
      '1: a is at 1.4 and missed tag.1.2',
      [
        send(),
        send('r2'),
        open('a', { after: 'tag.1.0' }),
        ...seen('a', at(1, started), at(4, started, 'r2')),
        truth(at(1, started), at(2, delta(0, 'x')), at(5, completed('x'))),
        truth(at(4, started, 'r2'), at(6, cancelled, 'r2')),
      ],
    ],
    'a gap behind a cursor that the reader did not see itself': [
      '1: a: tag.1.5 of r1 leaves a gap',
      [send(), open('a', { after: 'tag.1.3' }), ...seen('a', ...pick(5, 6)), truth(...whole)],
    ],
    'a doubled event': [
      '1: a: tag.1.3 does not come after 1.3',
      [send(), open('a'), ...seen('a', ...pick(1, 2, 3), ...pick(3, 4, 5, 6)), truth(...whole)],
    ],
    'doubled text under new cursors': [
      '4: a: tag.1.4 of r1 goes back to 0 of 5',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 3), at(4, delta(0, 'Hello')), at(5, completed('Hello'))),
        truth(...pick(1, 3), at(5, completed('Hello'))),
      ],
    ],
    'reordered events': [
      '1: a: tag.1.3 does not come after 1.4',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2), ...pick(4), ...pick(3), ...pick(5, 6)),
        truth(...whole),
      ],
    ],
    'an event from before the cursor of a resume': [
      '1: a: tag.1.3 does not come after 1.3',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2, 3)),
        open('b', { reader: 'a', replyId: 'r1', after: 'tag.1.3' }),
        ...seen('b', ...pick(3, 4, 5, 6)),
        truth(...whole),
      ],
    ],
    'a lost start': [
      '1: a: tag.1.2 of r1 has a delta before its start',
      [send(), open('a'), ...seen('a', ...pick(2, 3, 4, 5, 6)), truth(...whole)],
    ],
    'a cursor that is none': [
      '1: a: 17 is no cursor',
      [
        send(),
        open('a'),
        ...seen('a', { cursor: '17', replyId: 'r1', body: started }),
        truth(...whole),
      ],
    ],
    'an event that the filter leaves out': [
      '1: a: tag.1.9 is of r2, which was not asked for',
      [
        send(),
        send('r2'),
        open('a'),
        ...seen('a', at(9, started, 'r2')),
        truth(...whole),
        truth(at(9, started, 'r2'), at(10, cancelled, 'r2')),
      ],
    ],
    'readers that disagree': [
      '2: after tag.1.3 b and log of r1 disagree on r1',
      [
        send(),
        open('b'),
        ...seen('b', ...pick(1, 2), at(3, delta(0, 'Jello')), ...pick(4, 5)),
        truth(...whole),
      ],
    ],
    'readers that hear different ends': [
      '2: after tag.1.2 b and a disagree',
      [
        send(),
        open('a'),
        ...seen('a', at(1, started), at(2, failed('LIMIT'))),
        open('b'),
        ...seen('b', at(1, started), at(2, failed('INTERNAL'))),
      ],
    ],
    'a cursor used for two events': [
      '2: tag.1.2 is another event to b than to a',
      [
        send(),
        send('r2'),
        open('a'),
        ...seen('a', at(1, started), at(2, cancelled)),
        open('b', { replyId: 'r2' }),
        ...seen('b', at(2, started, 'r2'), at(3, cancelled, 'r2')),
      ],
    ],
    'text that was shown, lost in a crash, and never taken back': [
      '2: after tag.2.1 a and log of r1 disagree on r1',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen('a', ...pick(1, 3, 4), at(1, failed('EXPIRED'), 'r1', 2)),
        truth(...pick(1, 3), at(1, failed('EXPIRED'), 'r1', 2)),
      ],
    ],
    'two ends': ['3: r1 ended 2 times', [send(), truth(...whole, at(7, failed('INTERNAL')))]],
    'two ends, each to one reader': [
      '3: r1 ended at tag.1.6, and to b at tag.1.7',
      [
        send(),
        open('a'),
        ...seen('a', ...whole),
        open('b'),
        ...seen('b', ...pick(1, 2, 3, 4, 5), at(7, cancelled)),
      ],
    ],
    'an event after the end': [
      '3: r1 went on after its end',
      [send(), truth(...whole, at(7, delta(11, '!')))],
    ],
    'a reply that asked, and never ended': [
      '3: r1 never ended',
      [send(), truth(at(1, started), at(2, asks))],
    ],
    'a reply that asks twice': [
      '1: log of r1: tag.1.3 of r1 asks while it is ACTION_REQUIRED',
      [send(), truth(at(1, started), at(2, asks), at(3, asks), at(4, cancelled))],
    ],
    'a reply that never ended': ['3: r1 never ended', [send(), truth(...pick(1, 2, 3, 4, 5))]],
    'an accepted reply that left no trace': [
      '3: r2 never ended',
      [send('r2'), send(), truth(...whole)],
    ],
    'a stream that completes too early': [
      '3: a is complete, r1 is not',
      [send(), open('a'), ...seen('a', ...pick(1, 2, 3)), end('a'), truth(...whole)],
    ],
    'a query that shows another status': [
      '3: r1 is shown as RUNNING, its log says COMPLETED',
      [
        send(),
        {
          ...truthOf(whole),
          snapshot: { status: 'RUNNING', text: 'Hello world', reasoning: 'hm' },
        },
      ],
    ],
    'a query that shows another text': [
      '4: r1 is shown with another text than its log has',
      [
        send(),
        { ...truthOf(whole), snapshot: { status: 'COMPLETED', text: 'Hello', reasoning: 'hm' } },
      ],
    ],
    'a completed text that its deltas do not make': [
      '4: a: tag.1.6 of r1 completed with another text',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2, 3, 4, 5), at(6, completed('Hello worl'))),
        truth(...whole),
      ],
    ],
    'a cut through a surrogate pair': [
      '4: a: tag.1.2 of r1 splits a surrogate pair',
      [
        send(),
        open('a'),
        ...seen(
          'a',
          at(1, started),
          at(2, delta(0, '\uD83D')),
          at(3, delta(1, '\uDE00')),
          at(4, completed('😀')),
        ),
      ],
    ],
    'an offset inside a surrogate pair': [
      '4: a: tag.1.3 of r1 starts inside a surrogate pair',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen('a', at(1, started), at(2, delta(0, '😀')), at(3, delta(1, 'x')), at(4, cancelled)),
      ],
    ],
    "an event of another's reply": [
      '5: b of bob was sent r1 of alice',
      [send(), open('b', { as: 'bob' }), ...seen('b', ...pick(1)), truth(...whole)],
    ],
    'an event of a reply that nobody sent': [
      '5: b: r7 was never accepted',
      [open('b', { replyId: 'r7' }), ...seen('b', at(1, started, 'r7'))],
    ],
    'a key that made two replies': [
      '6: key k of alice made r1 and r2',
      [
        send('r1', 'alice', 'k'),
        send('r2', 'alice', 'k'),
        truth(...whole),
        truth(at(8, cancelled, 'r2')),
      ],
    ],
    'a message that became two chats': [
      '6: the message of r1 became 2 upstream chats',
      [send(), { type: 'chats', replyId: 'r1', count: 2 }, truth(...whole)],
    ],
    'an undocumented code': [
      '7: OOPS is no documented code of a union',
      [{ type: 'refused', where: 'union', code: 'OOPS' }],
    ],
    'a documented code in the wrong place': [
      '7: QUEUE_FULL is no documented code of a request',
      [{ type: 'refused', where: 'request', code: 'QUEUE_FULL' }],
    ],
    'an undocumented failure of a reply': [
      '7: r1 failed with WHATEVER',
      [send(), truth(at(1, started), at(2, failed('WHATEVER')))],
    ],
  }
  it.each(Object.entries(planted))('catches %s', (_, [problem, history]) => {
    expect(check(history)).toContainEqual(expect.stringContaining(problem))
  })
})
