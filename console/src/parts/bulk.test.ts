import { expect, test } from 'vitest';
import { changed } from './bulk';

test('what is so already is left alone', () => {
  expect(changed('activate', { name: 'a' }, '')).toBeUndefined();
  expect(changed('deactivate', { inactive: true }, '')).toBeUndefined();
  expect(changed('addTag', { tags: ['x'] }, 'x')).toBeUndefined();
  expect(changed('removeTag', { tags: ['x'] }, 'y')).toBeUndefined();
});

test('nothing but what was asked for is changed', () => {
  expect(changed('activate', { name: 'a', inactive: true }, '')).toEqual({ name: 'a' });
  expect(changed('deactivate', { name: 'a' }, '')).toEqual({ name: 'a', inactive: true });
  expect(changed('addTag', { name: 'a' }, 'x')).toEqual({ name: 'a', tags: ['x'] });
  expect(changed('removeTag', { tags: ['x'], name: 'a' }, 'x')).toEqual({ name: 'a' });
});
