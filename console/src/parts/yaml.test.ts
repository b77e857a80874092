import { expect, test } from 'vitest';
import { fromYaml, keysOf, marksOf } from './yaml';

test('paths of the server are taken apart', () => {
  expect(keysOf('policies[1].config.limit')).toEqual(['policies', 1, 'config', 'limit']);
  expect(keysOf('name')).toEqual(['name']);
  expect(keysOf('')).toEqual([]);
});

test('a problem is marked at its value', () => {
  const text = 'name: x\nendpoints:\n  - url: nope\n';
  const [mark] = marksOf(text, [{ severity: 'error', path: 'endpoints[0].url', message: 'found nope' }]);
  expect(text.slice(mark?.from, mark?.to)).toBe('nope');
});

test('a missing key is marked at the object that misses it', () => {
  const text = 'policies:\n  - type: rateLimit\n    config:\n      limit: 1\n';
  const [mark] = marksOf(text, [
    { severity: 'error', path: 'policies[0].config.window', message: 'missing' },
  ]);
  expect(text.slice(mark?.from, mark?.to)).toBe('limit: 1');
});

test('what is no document is said with its place', () => {
  expect(fromYaml('a: [', 'a document').ok).toBe(false);
  expect(fromYaml('- a', 'a document')).toEqual({
    ok: false,
    marks: [{ from: 0, to: 3, message: 'a document', severity: 'error' }],
  });
  expect(fromYaml('a: 1', '')).toEqual({ ok: true, value: { a: 1 } });
  expect(fromYaml('', '')).toEqual({ ok: true, value: {} });
});
