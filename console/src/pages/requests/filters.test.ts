import { expect, test } from 'vitest';
import { filterOf } from './filters';

test('a text is taken for what it looks like', () => {
  for (const [q, filter] of [
    ['/gateway/Pets', { path: '/gateway/Pets' }],
    ['10.0.0.1', { client: '10.0.0.1' }],
    ['::1', { client: '::1' }],
    ['0f3a9c1b2d4e5f60718293a4b5c6d7e8', { id: '0f3a9c1b2d4e5f60718293a4b5c6d7e8' }],
    [' rate_limited ', { reason: 'rate_limited' }],
    ['', {}],
  ] as const) {
    expect(filterOf({ q }, 0), q).toEqual(filter);
  }
});

test('time is counted back from now', () => {
  expect(filterOf({ since: '15', code: '5xx' }, 1_000_000)).toEqual({ code: '5xx', from: '100000' });
  expect(filterOf({ since: 'odd' }, 1_000_000)).toEqual({});
});
