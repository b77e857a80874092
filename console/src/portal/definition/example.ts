/** A value that fits a schema, to begin with. */
import { isObject, text } from '../../pages/apis/spec';
import { type Body, type Json, type Parameter, resolve } from './read';

const DEEPEST = 6;

export function exampleOf(document: Json, unresolved: Json, depth = 0): unknown {
  const schema = resolve(document, unresolved);
  if (schema.example !== undefined) return schema.example;
  if (Array.isArray(schema.examples) && schema.examples.length > 0) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
  if (depth >= DEEPEST) return null;
  if (Array.isArray(schema.allOf)) {
    const parts = schema.allOf.filter(isObject).map((part) => exampleOf(document, part, depth + 1));
    return Object.assign({}, ...parts.filter(isObject), objectOf(document, schema, depth)) as unknown;
  }
  const choice = [schema.oneOf, schema.anyOf]
    .flatMap((some) => (Array.isArray(some) ? some : []))
    .find(isObject);
  if (choice !== undefined) return exampleOf(document, choice, depth + 1);
  switch (typeOf(schema)) {
    case 'object':
      return objectOf(document, schema, depth);
    case 'array':
      return isObject(schema.items) ? [exampleOf(document, schema.items, depth + 1)] : [];
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return wordOf(text(schema.format));
  }
}

/** What a schema describes, also where it does not say so. */
export function typeOf(schema: Json): string {
  const types: unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type];
  const named = types.map(text).find((type) => type !== undefined && type !== 'null');
  if (named !== undefined) return named;
  if (isObject(schema.properties) || isObject(schema.additionalProperties)) return 'object';
  return isObject(schema.items) ? 'array' : types.includes('null') ? 'null' : 'string';
}

function objectOf(document: Json, schema: Json, depth: number): Json {
  if (!isObject(schema.properties)) return {};
  const entries = Object.entries(schema.properties).filter(
    ([, property]) => isObject(property) && resolve(document, property).readOnly !== true,
  );
  return Object.fromEntries(
    entries.map(([name, property]) => [name, exampleOf(document, property as Json, depth + 1)]),
  );
}

function wordOf(format: string | undefined): string {
  switch (format) {
    case 'date':
      return '2026-01-31';
    case 'date-time':
      return '2026-01-31T12:00:00Z';
    case 'uuid':
      return '3fa85f64-5717-4562-b3fc-2c963f66afa6';
    case 'email':
      return 'ann@example.com';
    case 'uri':
    case 'url':
      return 'https://example.com';
    default:
      return 'text';
  }
}

export function bodyExample(document: Json, body: Body): string {
  const value = body.example ?? exampleOf(document, body.schema);
  return typeof value === 'string' && !body.mediaType.includes('json')
    ? value
    : JSON.stringify(value, null, 2);
}

/** A parameter filled in as its schema suggests; `undefined` where it may be left out and nothing is suggested. */
export function parameterExample(document: Json, { schema, required, name }: Parameter): string | undefined {
  const { example, default: usual, enum: choices } = resolve(document, schema);
  const suggested = example ?? usual ?? (Array.isArray(choices) && required ? choices[0] : undefined);
  if (suggested !== undefined && suggested !== null && typeof suggested !== 'object')
    return String(suggested);
  if (!required) return undefined;
  const value = exampleOf(document, schema);
  return typeof value === 'string' && value === 'text' ? name : String(value);
}
