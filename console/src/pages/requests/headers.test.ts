import { expect, test } from 'vitest';
import { headersOf } from './headers';

test('a header on each line, values may have colons', () => {
  expect(headersOf('X-API-Key: a:b\n\n Accept : text/html\nnonsense')).toEqual([
    ['X-API-Key', 'a:b'],
    ['Accept', 'text/html'],
  ]);
});
