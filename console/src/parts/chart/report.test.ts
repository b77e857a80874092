import { expect, test } from 'vitest';
import { addedUp, type Bucket, reasonsOf, seriesOf, spread } from './report';

const HOUR = 3_600_000;

function bucket(at: number, requests: number, more: Partial<Bucket> = {}): Bucket {
  const none = {
    clientErrors: 0,
    serverErrors: 0,
    refused: 0,
    cacheHits: 0,
    requestBytes: 0,
    responseBytes: 0,
  };
  const times = { averageMs: 0, providerMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0 };
  return { at, requests, reasons: {}, ...none, ...times, ...more };
}

test('hours without requests are there, as nothing', () => {
  const times = spread({ from: HOUR + 5, to: 4 * HOUR }, 'hour');
  expect(times).toEqual([HOUR, 2 * HOUR, 3 * HOUR]);
  const items = [bucket(HOUR, 2), bucket(HOUR, 3), bucket(3 * HOUR, 1)];
  expect(seriesOf(items, times, 'hour', (item) => item.requests)).toEqual([5, 0, 1]);
});

test('averages are weighed by requests', () => {
  const sum = addedUp([bucket(0, 1, { averageMs: 10 }), bucket(HOUR, 3, { averageMs: 2 })]);
  expect(sum).toMatchObject({ requests: 4, averageMs: 4 });
  expect(addedUp([]).averageMs).toBe(0);
});

test('the most frequent reason comes first', () => {
  const items = [bucket(0, 1, { reasons: { a: 1, b: 2 } }), bucket(HOUR, 1, { reasons: { a: 4 } })];
  expect(reasonsOf(items)).toEqual([
    ['a', 5],
    ['b', 2],
  ]);
});
