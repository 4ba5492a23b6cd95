import { describe, expect, it } from 'vitest'
import { check } from '../../kit/history/checker.ts'
import type { Step } from '../../kit/history/history.ts'
import {
  asks,
  at,
  cancelled,
  completed,
  cursorOf,
  cut,
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
} from '../../kit/history/written.ts'

const wordForm = /canary-of-\w+/g

describe('checker', () => {
  const planted: Readonly<Record<string, readonly [string, readonly Step[]]>> = {
    'a gap in the text': [
      '1: a: tag.1.e1~r1.x0.11.2 of r1 leaves a gap',
      [send(), open('a'), ...seen('a', ...pick(1, 2, 3, 5, 6)), truth(...whole)],
    ],
    'an event that never came, in the middle': [
      '1: a is at tag.4.e4 and missed tag.2.e2',
      [
        send(),
        send('r2'),
        open('a', { after: 'tag.0.-' }),
        ...seen('a', at(1, started), at(4, started, 'r2')),
        truth(at(1, started), at(2, asks), at(5, cancelled)),
        truth(at(4, started, 'r2'), at(6, cancelled, 'r2')),
      ],
    ],
    'an event that never came, though text came after it': [
      '1: a is at tag.4.e4 and missed tag.2.e2',
      [
        send(),
        send('r2'),
        open('a', { after: 'tag.0.-' }),
        ...seen('a', at(1, started), at(4, started, 'r2'), cut(4, delta(0, 'x'), ['x0', 1])),
        truth(at(1, started), at(2, asks), cut(2, delta(0, 'x'), ['x0', 1]), at(5, cancelled)),
        truth(at(4, started, 'r2'), at(6, cancelled, 'r2')),
      ],
    ],
    'a gap behind a cursor that the reader did not see itself': [
      '1: a: tag.1.e1~r1.x0.11.2 of r1 leaves a gap',
      [send(), open('a', { after: cursorOf(3) }), ...seen('a', ...pick(5, 6)), truth(...whole)],
    ],
    'a gap behind a cursor at which nothing was read of the reply': [
      '1: a: tag.1.e1~r1.x0.9.2 of r1 leaves a gap',
      [send(), open('a', { after: 'tag.1.e1' }), ...seen('a', ...pick(2, 4)), truth(...whole)],
    ],
    'a doubled event': [
      '1: a: tag.1.e1~r1.x0.5.2 does not come after',
      [send(), open('a'), ...seen('a', ...pick(1, 2, 3), ...pick(3, 4, 5, 6)), truth(...whole)],
    ],
    'doubled text under new cursors': [
      '4: a: tag.1.e1~r1.x1.5.0 of r1 goes back to 0 of 5',
      [
        send(),
        open('a'),
        ...seen(
          'a',
          at(1, started),
          cut(1, delta(0, 'Hello'), ['x0', 5]),
          cut(1, delta(0, 'Hello'), ['x1', 5]),
          at(2, completed('Hello')),
        ),
        truth(at(1, started), cut(1, delta(0, 'Hello'), ['x1', 5]), at(2, completed('Hello'))),
      ],
    ],
    'text that is told again in one revision': [
      '4: a: tag.1.e1~r1.x0.6.0 of r1 tells again from 0 what was read up to 5',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen(
          'a',
          at(1, started),
          cut(1, delta(0, 'Hello'), ['x0', 5]),
          cut(1, delta(0, 'Hello!'), ['x0', 6]),
        ),
        truth(at(1, started), cut(1, delta(0, 'Hello!'), ['x0', 6]), at(2, completed('Hello!'))),
      ],
    ],
    'a correction that is told of one text and not of the other': [
      '4: a: tag.1.e1~r1.x1.3.2 of r1 shows 5 of the answer, its cursor says 3',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen(
          'a',
          at(1, started),
          cut(1, delta(0, 'Hello'), ['x0', 5]),
          cut(1, thought(0, 'hm'), ['x1', 3, 2]),
        ),
        truth(at(1, started), at(2, cancelled)),
      ],
    ],
    'a cursor that leads further than its delta': [
      '1: a: tag.1.e1~r1.x0.6.0 of r1 ends at 5, its cursor is at 6',
      [send(), open('a'), ...seen('a', at(1, started), cut(1, delta(0, 'Hello'), ['x0', 6]))],
    ],
    'a delta that leads on in two texts': [
      '1: a: tag.1.e1~r1.x0.1.0~r2.x0.1.0 of r1 does not move in exactly one text',
      [
        send(),
        open('a', { after: 'tag.0.-' }),
        ...seen('a', at(1, started), {
          cursor: 'tag.1.e1~r1.x0.1.0~r2.x0.1.0',
          replyId: 'r1',
          body: delta(0, 'x'),
        }),
      ],
    ],
    "a delta that leads on in another reply's text": [
      '2: b: tag.1.e1~r1.x0.5.0 of r2 moves in the text of r1',
      [
        send(),
        send('r2'),
        truth(...whole),
        open('b', { replyId: 'r2' }),
        ...seen('b', at(1, started, 'r2'), {
          cursor: 'tag.1.e1~r1.x0.5.0',
          replyId: 'r2',
          body: delta(0, 'Hello'),
        }),
      ],
    ],
    'an event that leads on in a text': [
      '1: a: tag.2.e2~r1.x0.5.0 of r1 moves in a text, and is no delta',
      [
        send(),
        open('a', { after: 'tag.1.e1' }),
        ...seen('a', { cursor: 'tag.2.e2~r1.x0.5.0', replyId: 'r1', body: asks }),
      ],
    ],
    'a place that is kept in a text that has ended': [
      '1: a: tag.2.e2~r1.x0.11.2 keeps a place in the text of r1, which ended',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2, 3, 4, 5), {
          cursor: 'tag.2.e2~r1.x0.11.2',
          replyId: 'r1',
          body: completed('Hello world'),
        }),
        truth(...whole),
      ],
    ],
    'a place that is forgotten while its reply runs': [
      '1: a: tag.1.e1~r2.x0.1.0 of r2 forgets how far a text was read',
      [
        send(),
        send('r2'),
        open('a', { after: cursorOf(3) }),
        ...seen('a', cut(1, delta(0, 'x'), ['x0', 1], 'r2')),
      ],
    ],
    'reordered events': [
      '1: a: tag.3.e3 does not come after tag.4.e4',
      [
        send(),
        open('a'),
        ...seen('a', at(1, started), at(4, asks), at(3, asks), at(5, cancelled)),
        truth(at(1, started), at(3, asks), at(4, asks), at(5, cancelled)),
      ],
    ],
    'an event from before the cursor of a resume': [
      '1: a: tag.1.e1~r1.x0.5.2 does not come after tag.1.e1',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2, 3)),
        open('b', { reader: 'a', replyId: 'r1', after: cursorOf(3) }),
        ...seen('b', ...pick(3, 4, 5, 6)),
        truth(...whole),
      ],
    ],
    'a lost start': [
      '1: a: tag.1.e1~r1.x0.0.2 of r1 has a delta before its start',
      [send(), open('a'), ...seen('a', ...pick(2, 3, 4, 5, 6)), truth(...whole)],
    ],
    'a second start': [
      '1: a: tag.2.e2 of r1 has started twice',
      [send(), open('a'), ...seen('a', at(1, started), at(2, started))],
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
      '1: a: tag.9.e9 is of r2, which was not asked for',
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
      '2: after tag.1.e1~r1.x0.5.2 b and log of r1 disagree on r1',
      [
        send(),
        open('b'),
        ...seen('b', ...pick(1, 2), cut(1, delta(0, 'Jello'), ['x0', 5, 2]), ...pick(4, 5)),
        truth(...whole),
      ],
    ],
    'readers that disagree on what was taken back since': [
      '2: after tag.1.e1~r1.x0.5.0 b and a disagree on r1',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen('a', at(1, started), cut(1, delta(0, 'Hello'), ['x0', 5])),
        open('b'),
        ...seen('b', at(1, started), cut(1, delta(0, 'Jello'), ['x0', 5])),
        truth(at(1, started), cut(1, delta(0, 'no'), ['x1', 2]), at(2, completed('no'))),
      ],
    ],
    'a text that no other reader met, and that the log does not have': [
      '2: after tag.1.e1~r1.x0.3.0 b and the log disagree on r1',
      [
        send(),
        open('b'),
        ...seen('b', at(1, started), cut(1, delta(0, 'Hal'), ['x0', 3])),
        truth(...whole),
      ],
    ],
    'readers that hear different ends': [
      '2: after tag.2.e2 b and a disagree',
      [
        send(),
        open('a'),
        ...seen('a', at(1, started), at(2, failed('LIMIT'))),
        open('b'),
        ...seen('b', at(1, started), at(2, failed('INTERNAL'))),
      ],
    ],
    'a number that is given to two events': [
      '2: tag.2.e2 is another event to b than to a',
      [
        send(),
        send('r2'),
        open('a'),
        ...seen('a', at(1, started), at(2, cancelled)),
        open('b', { replyId: 'r2' }),
        ...seen('b', at(2, started, 'r2'), at(3, cancelled, 'r2')),
      ],
    ],
    'an event that is named by two checks': [
      '2: tag.2.other is another event to b than to a',
      [
        send(),
        open('a'),
        ...seen('a', at(1, started), at(2, cancelled)),
        open('b'),
        ...seen('b', at(1, started), at(2, cancelled, 'r1', 'other')),
      ],
    ],
    'text that was shown, lost in a crash, and never taken back': [
      '2: after tag.2.e2 a and log of r1 disagree on r1',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen('a', ...pick(1, 2, 3, 4), at(2, failed('EXPIRED'))),
        truth(...pick(1, 2, 3), at(2, failed('EXPIRED'))),
      ],
    ],
    'two ends': ['3: r1 ended 2 times', [send(), truth(...whole, at(3, failed('INTERNAL')))]],
    'two ends, each to one reader': [
      '3: r1 ended at tag.2.e2, and to b at tag.3.e3',
      [
        send(),
        open('a'),
        ...seen('a', ...whole),
        open('b'),
        ...seen('b', ...pick(1, 2, 3, 4, 5), at(3, cancelled)),
      ],
    ],
    'an event after the end': [
      '3: r1 went on after its end',
      [send(), truth(...whole, cut(2, delta(11, '!'), ['x0', 12, 2]))],
    ],
    'a reply that asked, and never ended': [
      '3: r1 never ended',
      [send(), truth(at(1, started), at(2, asks))],
    ],
    'a reply that asks before its start': [
      '1: log of r1: tag.2.e2 of r1 asks before its start',
      [send(), truth(at(2, asks), at(3, started), at(4, cancelled))],
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
      '4: a: tag.2.e2 of r1 completed with another text',
      [
        send(),
        open('a'),
        ...seen('a', ...pick(1, 2, 3, 4, 5), at(2, completed('Hello worl'))),
        truth(...whole),
      ],
    ],
    'a cut through a surrogate pair': [
      '4: a: tag.1.e1~r1.x0.1.0 of r1 splits a surrogate pair',
      [
        send(),
        open('a'),
        ...seen(
          'a',
          at(1, started),
          cut(1, delta(0, '\uD83D'), ['x0', 1]),
          cut(1, delta(1, '\uDE00'), ['x0', 2]),
          at(2, completed('😀')),
        ),
      ],
    ],
    'an offset inside a surrogate pair': [
      '4: a: tag.1.e1~r1.x1.2.0 of r1 starts inside a surrogate pair',
      [
        send(),
        { type: 'crash' },
        open('a'),
        ...seen(
          'a',
          at(1, started),
          cut(1, delta(0, '😀'), ['x0', 2]),
          cut(1, delta(1, 'x'), ['x1', 2]),
          at(2, cancelled),
        ),
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
    'a completed reply that no chat has answered': [
      '6: r1 is completed, and no upstream chat was',
      [send(), { type: 'chats', replyId: 'r1', count: 0 }, truth(...whole)],
    ],
    'a text that the upstream did not give': [
      '4: r1 has another text than the upstream gave',
      [send(), { type: 'chats', replyId: 'r1', count: 1, text: 'Hello' }, truth(...whole)],
    ],
    'an answer that the upstream did not give': [
      '4: r1 has another text than the upstream gave',
      [send(), { type: 'chats', replyId: 'r1', count: 1, text: null }, truth(...whole)],
    ],
    'a cancel that nobody asked for': [
      '3: r1 is cancelled, and nothing has caused it',
      [send(), { ...truthOf([at(1, started), at(2, cancelled)]), isCaused: false }],
    ],
    'a failure that nothing explains': [
      '3: r1 failed as LIMIT, and nothing has caused it',
      [send(), { ...truthOf([at(1, started), at(2, failed('LIMIT'))]), isCaused: false }],
    ],
    'a reader that is connected and not told any more': [
      '1: a#1 stays at 1, the log of r1 is at 2',
      [
        send(),
        open('a#1'),
        ...seen('a#1', ...pick(1, 2, 3)),
        { type: 'rest', connection: 'a#1', start: 'tag.0.-' },
        truth(...whole),
      ],
    ],
    'a reader that is connected and was told nothing': [
      '1: a stays at 0, the log of r1 is at 2',
      [send(), open('a', {}), { type: 'rest', connection: 'a', start: 'tag.0.-' }, truth(...whole)],
    ],
    "another's word in an event": [
      '5: a: tag.2.e2 of alice has canary-of-bob',
      [
        send(),
        { type: 'word', as: 'bob', word: 'canary-of-bob' },
        open('a'),
        ...seen('a', at(2, completed('canary-of-bob'))),
        truth(...whole),
      ],
    ],
    "another's word in the log": [
      '5: log of r1: tag.2.e2 of alice has canary-of-bob',
      [
        send(),
        { type: 'word', as: 'bob', word: 'canary-of-bob' },
        truth(at(1, started), at(2, completed('canary-of-bob'))),
      ],
    ],
    "another's word in what a query shows": [
      '5: r1 of alice has canary-of-bob',
      [
        send(),
        { type: 'word', as: 'bob', word: 'canary-of-bob' },
        {
          ...truthOf(whole),
          snapshot: { status: 'COMPLETED', text: 'Hello world', reasoning: 'hm canary-of-bob' },
        },
      ],
    ],
    'an answer without the word that it was to repeat': [
      '5: r1 lacks canary-of-alice',
      [
        send(),
        { type: 'word', as: 'alice', word: 'canary-of-alice', replyId: 'r1' },
        truth(...whole),
      ],
    ],
    'an upstream conversation of two': [
      '5: alice and bob were both served in u1',
      [{ type: 'served', upstream: 'u1', sessions: ['alice', 'bob'] }],
    ],
    'two replies that run in one conversation': [
      '8: r2 started while r1 ran',
      [
        send('r1', 'alice', undefined, 'c1'),
        send('r2', 'alice', undefined, 'c1'),
        truth(at(1, started), at(3, cancelled)),
        truth(at(2, started, 'r2'), at(4, cancelled, 'r2')),
      ],
    ],
    'a reply that goes on though a message has interrupted it': [
      '8: r1 goes on after r2 has interrupted it',
      [
        send('r1', 'alice', undefined, 'c1'),
        send('r2', 'alice', undefined, 'c1'),
        { ...truthOf([at(1, started), at(4, cancelled)]), order: 1 },
        {
          ...truthOf([at(2, started, 'r2'), at(3, cancelled, 'r2')]),
          replyId: 'r2',
          order: 2,
          isUrgent: true,
        },
      ],
    ],
    'a message that overtakes another': [
      '8: r2 overtakes r1',
      [
        send('r1', 'alice', undefined, 'c1'),
        send('r2', 'alice', undefined, 'c1'),
        {
          ...truthOf([at(1, started, 'r2'), at(2, cancelled, 'r2')]),
          replyId: 'r2',
          order: 2,
        },
        { ...truthOf([at(3, started), at(4, cancelled)]), order: 1 },
      ],
    ],
    'work that is owed, and neither done nor owed any more': [
      '9: a cancel is owed, and forgotten',
      [
        { type: 'owed', id: 'w1', work: 'a cancel is owed' },
        { type: 'owed', id: 'w2', work: 'a deletion is owed' },
        { type: 'settled', id: 'w2' },
      ],
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
    expect(check(history, { wordForm })).toContainEqual(expect.stringContaining(problem))
  })
})
