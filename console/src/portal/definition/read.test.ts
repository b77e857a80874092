import { expect, test } from 'vitest';
import { callOf, key, missing } from './call';
import { exampleOf } from './example';
import { DEFINITION } from './example.fixture';
import { type Endpoint, readDefinition, resolve } from './read';
import { suggested } from './suggested';

function read(source: string) {
  const definition = readDefinition(source);
  if (definition === undefined) throw new Error('it can be read');
  return definition;
}

function endpoint(source: string, method: string, path: string): Endpoint {
  const found = read(source).endpoints.find((one) => one.method === method && one.path === path);
  if (found === undefined) throw new Error(`${method} ${path} is there`);
  return found;
}

test('operations have the parameters of their path', () => {
  const { endpoints } = read(DEFINITION);
  expect(endpoints.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /pets',
    'POST /pets',
    'GET /pets/{pet-id}',
    'DELETE /pets/{pet-id}',
  ]);
  expect(endpoints[2]?.parameters.map(({ name }) => name)).toEqual(['pet-id']);
  expect(endpoints[1]?.body?.mediaType).toBe('application/json');
});

test('bodies of OpenAPI 2.0 are bodies', () => {
  const old = endpoint(
    'swagger: "2.0"\npaths: { /a: { put: { parameters: [{ name: b, in: body, schema: { type: object, properties: { x: { type: integer } } } }], responses: { 200: { description: ok } } } } }',
    'PUT',
    '/a',
  );
  expect(old.body?.mediaType).toBe('application/json');
  expect(exampleOf({}, old.body?.schema ?? {})).toEqual({ x: 1 });
});

test('what is no definition is none, and circles end', () => {
  for (const source of ['', ': : :', '[]', 'openapi: 3.1.0', '<wsdl/>']) {
    expect(readDefinition(source), source).toBeUndefined();
  }
  expect(resolve({ a: { $ref: '#/a' } }, { $ref: '#/a' })).toEqual({});
  expect(resolve({}, { $ref: '#/__proto__/x' })).toEqual({});
  expect(resolve({}, { $ref: 'https://elsewhere.example/x' })).toEqual({});
  const { document } = read(DEFINITION);
  expect(exampleOf(document, { $ref: '#/components/schemas/Pet' })).toMatchObject({
    name: 'Rex',
    kind: 'cat',
  });
});

test('a call is filled in as the schema suggests, and encoded', () => {
  const definition = read(DEFINITION);
  const list = endpoint(DEFINITION, 'GET', '/pets');
  expect(callOf(list, suggested(definition, list)).path).toBe('/pets?limit=20');
  const one = endpoint(DEFINITION, 'GET', '/pets/{pet-id}');
  const filled = { parameters: { [key('path', 'pet-id')]: 'a/b c' }, body: '' };
  expect(callOf(one, filled).path).toBe('/pets/a%2Fb%20c');
  expect(missing(one, { parameters: {}, body: '' })).toEqual(['pet-id']);
  const add = endpoint(DEFINITION, 'POST', '/pets');
  expect(callOf(add, { parameters: {}, body: '{}' })).toEqual({
    method: 'POST',
    path: '/pets',
    headers: [['Content-Type', 'application/json']],
    body: '{}',
  });
});
