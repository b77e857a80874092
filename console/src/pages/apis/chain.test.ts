import { expect, test } from 'vitest';
import type { PolicyType } from '../../api/policies';
import { chainOf, type Governing, templatesOf } from './chain';

const types = [
  { type: 'apiKey', stage: 'identify & access' },
  { type: 'rateLimit', stage: 'traffic monitoring' },
] as PolicyType[];

test('a policy is in the stage of its type, an unknown one is not lost', () => {
  const all: Governing[] = ['apiKey', 'rateLimit', 'odd'].map((type, index) => ({
    from: 'api',
    index,
    policy: { type },
  }));
  expect(chainOf(all, 'identify & access', types).map(({ policy }) => policy.type)).toEqual(['apiKey']);
  expect(chainOf(all, 'request processing', types).map(({ policy }) => policy.type)).toEqual(['odd']);
});

test('policies of templates come in the order in which the API names them', () => {
  const asset = (name: string, type: string) =>
    ({
      kind: 'policyTemplate',
      id: name,
      name,
      revision: 1,
      createdAt: '',
      changedAt: '',
      spec: { policies: [{ type }] },
    }) as const;
  const found = templatesOf(['b', 'a', 'gone'], [asset('a', 'apiKey'), asset('b', 'rateLimit')]);
  expect(found.map(({ policy }) => policy.type)).toEqual(['rateLimit', 'apiKey']);
});
