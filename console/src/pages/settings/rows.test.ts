import { expect, test } from 'vitest';
import { rootField } from '../../forms/schema';
import { rowsOf, shown } from './rows';

const SECTION = rootField({
  type: 'object',
  properties: {
    head: { type: 'string', description: 'Longest head.', default: '64KiB' },
    names: { type: 'array', items: { type: 'string' } },
    limit: { type: ['string', 'null'] },
    retry: { $ref: '#/$defs/Retry', default: { attempts: 3 } },
  },
  $defs: { Retry: { type: 'object', properties: { attempts: { type: 'integer', default: 1 } } } },
});

test('a setting differs when it is not what it would be anyway', () => {
  const rows = rowsOf(SECTION, { head: '1MiB', names: [], limit: null, retry: { attempts: 3 } });
  expect(rows.map(({ name, differs }) => [name, differs])).toEqual([
    ['head', true],
    ['names', false],
    ['limit', false],
    ['retry.attempts', false],
  ]);
  expect(rows[0]).toMatchObject({ description: 'Longest head.', value: '1MiB', fallback: '64KiB' });
  expect(rows[3]?.fallback).toBe(3);
});

test('false and zero are values, nothing and an empty list are none', () => {
  expect([false, 0, '1m', ['a'], [], null, undefined].map(shown)).toEqual([
    'false',
    '0',
    '1m',
    '["a"]',
    '',
    '',
    '',
  ]);
});
