import { expect, test } from 'vitest';
import { aboutOf, easiest, operationsOf } from './operations';

const PETS = `
openapi: 3.1.0
info: { title: Pets, version: 1.0 }
servers: [{ url: "http://pets.internal" }]
paths:
  /pets/{id}:
    get: { operationId: getPet }
  /pets:
    parameters: []
    post: { operationId: addPet, deprecated: true }
    get: { operationId: listPets, summary: All pets. }
`;

test('operations come from the definition, in its order', () => {
  expect(operationsOf(PETS).map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /pets/{id}',
    'GET /pets',
    'POST /pets',
  ]);
});

test('what is no definition has none', () => {
  expect(operationsOf('a: [')).toEqual([]);
  expect(operationsOf('[]')).toEqual([]);
  expect(aboutOf('a: [')).toEqual({ title: undefined, version: undefined, server: undefined });
});

test('the first call needs nothing to be filled in', () => {
  expect(easiest(operationsOf(PETS))?.path).toBe('/pets');
  expect(easiest([])).toBeUndefined();
});

test('title, version and server are suggested', () => {
  expect(aboutOf(PETS)).toEqual({ title: 'Pets', version: '1', server: 'http://pets.internal' });
});
