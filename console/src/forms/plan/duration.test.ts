import { expect, test } from 'vitest';
import { readLength, writeLength } from './duration';

test('a length of time is a number and a unit, and written as it was read', () => {
  for (const written of ['250ms', '1s', '30m', '12h', '7d', '2w']) {
    const length = readLength(written);
    expect(length === undefined ? '' : writeLength(length)).toBe(written);
  }
});

test('what is no length of time is not taken for one', () => {
  for (const written of [undefined, 5, '', 's', '1', '1.5h', '1h30m', '10 s', '-1s'])
    expect(readLength(written)).toBeUndefined();
});
