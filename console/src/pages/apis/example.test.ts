import { expect, test } from 'vitest';
import { addressOf, exampleOf } from './example';

const DOCUMENT = `
openapi: 3.1.0
paths:
  /pets/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer, minimum: 7 } }
    put:
      parameters:
        - { $ref: '#/components/parameters/Limit' }
        - { name: trace, in: header, schema: { type: string } }
        - { name: session, in: cookie, schema: { type: string } }
      requestBody:
        content:
          application/xml: { schema: { type: string } }
          application/json: { schema: { $ref: '#/components/schemas/Pet' } }
components:
  parameters:
    Limit: { name: limit, in: query, example: 3, description: How many. }
  schemas:
    Pet:
      type: object
      properties:
        id: { type: integer, readOnly: true }
        name: { type: string, example: Rex }
        born: { type: string, format: date }
        kinds: { type: array, items: { enum: [dog, cat] } }
        parent: { $ref: '#/components/schemas/Pet' }
`;

test('a request is made from examples and schemas', () => {
  const { parameters, body } = exampleOf(DOCUMENT, 'PUT', '/pets/{id}');
  expect(parameters.map(({ name, value, required }) => [name, value, required])).toEqual([
    ['id', '7', true],
    ['limit', '3', false],
    ['trace', '', false],
  ]);
  expect(body?.type).toBe('application/json');
  const pet = JSON.parse(body?.text ?? '') as Record<string, unknown>;
  expect(pet).toMatchObject({ name: 'Rex', born: '2026-01-31', kinds: ['dog'] });
  expect(pet).not.toHaveProperty('id');
  expect(addressOf('/pets/{id}', parameters)).toBe('/pets/7?limit=3');
});

test('a schema that contains itself comes to an end, and what is not there is asked for', () => {
  expect(exampleOf(DOCUMENT, 'PUT', '/pets/{id}').body?.text.length).toBeLessThan(2_000);
  expect(exampleOf('{', 'GET', '/a/{b}').parameters.map(({ name }) => name)).toEqual(['b']);
  expect(exampleOf(DOCUMENT, 'GET', '/other').body).toBeUndefined();
});

test('what is put into an address cannot become another one', () => {
  const one = { required: true, description: undefined };
  const parameters = [
    { ...one, name: 'id', in: 'path' as const, value: '../a?b' },
    { ...one, name: 'q', in: 'query' as const, value: 'a&b=c' },
  ];
  expect(addressOf('/x/{id}', parameters)).toBe('/x/..%2Fa%3Fb?q=a%26b%3Dc');
});

test('the body of OpenAPI 2.0 is found', () => {
  const old = `
swagger: "2.0"
paths:
  /pets:
    post:
      parameters: [{ name: body, in: body, schema: { type: object, properties: { name: { type: string } } } }]
`;
  expect(exampleOf(old, 'POST', '/pets')).toEqual({
    parameters: [],
    body: { type: 'application/json', text: '{\n  "name": "text"\n}' },
  });
});
