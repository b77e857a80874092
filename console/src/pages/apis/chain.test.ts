import { expect, test } from 'vitest';
import type { PolicyType } from '../../api/policies';
import { chainOf, type Governing, isFor, isOwn, partsOf, templatesOf, whyInert, withPolicy } from './chain';

const types = [
  { type: 'apiKey', stage: 'identify & access' },
  { type: 'rateLimit', stage: 'traffic monitoring' },
] as PolicyType[];

test('a policy is in the stage of its type, an unknown one is not lost', () => {
  const all: Governing[] = ['apiKey', 'rateLimit', 'odd'].map((type, index) => ({
    from: 'own',
    place: { list: 'api', at: 0, index },
    of: '',
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

const SPEC = {
  policies: [{ type: 'apiKey' }],
  resources: [{ path: '/pets', policies: [{ type: 'a' }] }],
  scopes: [{ name: 'writes', operations: ['addPet'], resources: [], policies: [{ type: 'b' }] }],
  operationPolicies: [{ operation: 'GET /pets', policies: [{ type: 'c' }] }],
};
const list = { level: 'operation', method: 'GET', path: '/pets', name: 'listPets' } as const;
const add = { level: 'operation', method: 'POST', path: '/pets', name: 'addPet' } as const;
const resource = { level: 'resource', path: '/pets' } as const;

test('an operation has what is written for it, for its scopes, its path and its API', () => {
  const types = (part: Parameters<typeof isFor>[1]) =>
    partsOf(SPEC)
      .filter((one) => isFor(one, part, SPEC))
      .map(({ policy }) => policy.type);
  expect(types({ level: 'api' })).toEqual(['apiKey']);
  expect(types(resource)).toEqual(['apiKey', 'a']);
  expect(types(list)).toEqual(['apiKey', 'a', 'c']);
  expect(types(add)).toEqual(['apiKey', 'a', 'b']);
  expect(partsOf(SPEC).filter((one) => isOwn(one, list)).length).toBe(1);
});

test('a policy of a part goes where that part is written', () => {
  const x = { type: 'x' };
  expect(withPolicy(SPEC, { level: 'api' }, null, x).spec.policies).toEqual([{ type: 'apiKey' }, x]);
  expect(withPolicy(SPEC, resource, null, x).path).toBe('resources[0].policies[1]');
  expect(withPolicy(SPEC, list, null, x).spec.operationPolicies).toEqual([
    { operation: 'GET /pets', policies: [{ type: 'c' }, x] },
  ]);
  const added = withPolicy(SPEC, add, null, x);
  expect(added.path).toBe('operationPolicies[1].policies[0]');
  expect(added.spec.operationPolicies).toEqual([
    ...SPEC.operationPolicies,
    { operation: 'addPet', policies: [x] },
  ]);
});

test('a part without policies is not kept', () => {
  const at = { list: 'resources', at: 0, index: 0 } as const;
  expect(withPolicy(SPEC, resource, at, null).spec).not.toHaveProperty('resources');
  expect(withPolicy(SPEC, resource, at, { type: 'y' }).spec.resources).toEqual([
    { path: '/pets', policies: [{ type: 'y' }] },
  ]);
});

test('what gives way is told with the reason', () => {
  const inert = [{ stage: '', type: 'apiKey', name: 'apiKey', level: 'API', why: 'gives way' }];
  const [own] = partsOf(SPEC);
  expect(own && whyInert(own, inert)).toBe('gives way');
  expect(whyInert({ from: 'global', name: 'g', policy: { type: 'apiKey' } }, inert)).toBeUndefined();
});
