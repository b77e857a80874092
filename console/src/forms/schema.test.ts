import { expect, test } from 'vitest';
import { choicesOf, field, propertiesOf, rootField, shapeOf, variantsOf, withKey, without } from './schema';

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Unique name.' },
    wait: { anyOf: [{ $ref: '#/$defs/Duration' }, { type: 'null' }], description: 'How long.' },
    mode: { $ref: '#/$defs/Mode', default: 'slow' },
    tags: { type: 'array', items: { type: 'string' } },
    attributes: { type: 'object', additionalProperties: { type: 'string' } },
    endpoints: { type: 'array', items: { type: 'object', properties: { url: { type: 'string' } } } },
    about: { type: ['string', 'null'] },
    any: { description: 'Anything.' },
  },
  required: ['name'],
  $defs: {
    Duration: { type: 'string', description: 'Such as 10s.' },
    Mode: { oneOf: [{ const: 'slow', description: 'Slow.' }, { enum: ['fast', 'faster'] }] },
  },
};

test('every property has a shape', () => {
  const shapes = Object.fromEntries(propertiesOf(rootField(schema)).map((of) => [of.name, shapeOf(of)]));
  expect(shapes).toEqual({
    name: 'text',
    wait: 'text',
    mode: 'choice',
    tags: 'texts',
    attributes: 'map',
    endpoints: 'list',
    about: 'text',
    any: 'yaml',
  });
});

test('the description of the place goes before that of the type', () => {
  const wait = propertiesOf(rootField(schema)).find(({ name }) => name === 'wait');
  expect(wait?.description).toBe('How long.');
  expect(wait?.nullable).toBe(true);
});

test('choices are found however they are written', () => {
  const mode = field({ $ref: '#/$defs/Mode' }, schema.$defs);
  expect(choicesOf(mode)?.map(({ value }) => value)).toEqual(['slow', 'fast', 'faster']);
});

test('variants are told apart by their constant', () => {
  const option = (type: string) => ({
    type: 'object',
    properties: { type: { const: type }, name: { type: 'string' } },
  });
  const found = variantsOf(field({ oneOf: [option('log'), option('webhook')] }, {}));
  expect(found?.key).toBe('type');
  expect(found?.options.map(({ value }) => value)).toEqual(['log', 'webhook']);
});

test('what is asked for elsewhere is not asked for again', () => {
  const rest = without(rootField(schema), ['name', 'wait', 'mode', 'tags', 'attributes', 'endpoints']);
  expect(propertiesOf(rest).map(({ name }) => name)).toEqual(['about', 'any']);
});

test('a key that is cleared is gone', () => {
  expect(withKey({ a: 1, b: 2 }, 'a', undefined)).toEqual({ b: 2 });
  expect(withKey({ a: 1 }, 'a', 3)).toEqual({ a: 3 });
});
