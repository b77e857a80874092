import { expect, test } from 'vitest';
import { stateOf } from './state';

const token = {
  id: 't1',
  kind: 'refresh',
  client: 'shop',
  application: 'Web shop',
  scope: '',
  issuedAt: '2026-01-01T00:00:00Z',
};
const now = Date.parse('2026-01-01T12:00:00Z');
const before = '2026-01-01T11:59:59Z';
const after = '2026-01-01T12:00:01Z';

test('a token counts until it is revoked, used or over', () => {
  expect(stateOf(token, now)).toBe('live');
  expect(stateOf({ ...token, expiresAt: after }, now)).toBe('live');
  expect(stateOf({ ...token, expiresAt: before }, now)).toBe('expired');
  expect(stateOf({ ...token, expiresAt: after, usedAt: before }, now)).toBe('used');
  expect(stateOf({ ...token, expiresAt: before, usedAt: before, revokedAt: before }, now)).toBe('revoked');
});
