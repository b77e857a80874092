/** A request of an operation to begin with, made from what its definition says: examples where there are some. */
import { parse } from 'yaml';
import type { Spec } from '../../api/assets';
import { isObject, objects, text } from './spec';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description: string | undefined;
  value: string;
}

export interface Example {
  parameters: Parameter[];
  /** Of a request that has a body. */
  body: { type: string; text: string } | undefined;
}

const DEEPEST = 6;
const NOTHING: Example = { parameters: [], body: undefined };

export function exampleOf(definition: string, method: string, path: string): Example {
  let document: unknown;
  try {
    document = parse(definition);
  } catch {
    return withoutDefinition(path);
  }
  const item = at(document, 'paths', path);
  const operation = at(item, method.toLowerCase());
  if (!isObject(document) || !isObject(item) || !isObject(operation)) return withoutDefinition(path);
  const root = document;
  const all = [...objects(item.parameters), ...objects(operation.parameters)].map((one) =>
    resolved(one, root),
  );
  const named = new Map(all.map((one) => [`${String(one.in)} ${String(one.name)}`, one]));
  const parameters = [...named.values()].flatMap((one): Parameter[] => {
    const place = one.in;
    const name = text(one.name);
    if (name === undefined || (place !== 'path' && place !== 'query' && place !== 'header')) return [];
    const required = one.required === true || place === 'path';
    const given = one.example ?? firstExample(one.examples);
    const schema = isObject(one.schema) ? one.schema : one;
    const value = given ?? (required ? sample(schema, root, 0) : (schema.default ?? ''));
    return [{ name, in: place, required, description: text(one.description), value: written(value) }];
  });
  return { parameters: withPath(parameters, path), body: bodyOf(operation, all, root) };
}

function withoutDefinition(path: string): Example {
  return { ...NOTHING, parameters: withPath([], path) };
}

/** What is in the path and told nowhere else is asked for, too. */
function withPath(parameters: Parameter[], path: string): Parameter[] {
  const missing = [...path.matchAll(/\{([^}]*)\}/g)]
    .map(([, name]) => name ?? '')
    .filter((name) => !parameters.some((one) => one.in === 'path' && one.name === name))
    .map((name): Parameter => ({ name, in: 'path', required: true, description: undefined, value: '1' }));
  return [...missing, ...parameters];
}

function bodyOf(operation: Spec, parameters: Spec[], root: Spec): Example['body'] {
  const request = isObject(operation.requestBody) ? resolved(operation.requestBody, root) : undefined;
  const content = isObject(request?.content) ? request.content : {};
  const types = Object.keys(content);
  const type = types.find((known) => /[/+]json\b/.test(known)) ?? types[0];
  if (type !== undefined) {
    const media = content[type];
    const given = isObject(media) ? (media.example ?? firstExample(media.examples)) : undefined;
    return { type, text: written(given ?? sample(at(media, 'schema'), root, 0)) };
  }
  // OpenAPI 2.0 has it among the parameters.
  const old = parameters.find((one) => one.in === 'body');
  return old && { type: 'application/json', text: written(sample(old.schema, root, 0)) };
}

function firstExample(examples: unknown): unknown {
  const first = isObject(examples) ? Object.values(examples)[0] : undefined;
  return isObject(first) ? first.value : undefined;
}

/** A value that fits a schema, more or less: who sends it looks at it first. */
function sample(schema: unknown, root: Spec, depth: number): unknown {
  if (!isObject(schema) || depth > DEEPEST) return null;
  const one = resolved(schema, root);
  const examples = Array.isArray(one.examples) ? (one.examples as unknown[]) : [];
  const choices = Array.isArray(one.enum) ? (one.enum as unknown[]) : [];
  const given = one.example ?? examples[0] ?? one.default ?? one.const ?? choices[0];
  if (given !== undefined) return given;
  const all = objects(one.allOf);
  if (all.length > 0) {
    const parts = all.map((part) => sample(part, root, depth + 1)).filter(isObject);
    return Object.assign({}, ...parts, ofProperties(one, root, depth)) as unknown;
  }
  const either = objects(one.oneOf)[0] ?? objects(one.anyOf)[0];
  if (either !== undefined) return sample(either, root, depth + 1);
  const types = (Array.isArray(one.type) ? one.type : [one.type]) as unknown[];
  const type = types.find((known) => known !== 'null');
  switch (type) {
    case 'integer':
    case 'number':
      return typeof one.minimum === 'number' ? one.minimum : 1;
    case 'boolean':
      return true;
    case 'array':
      return [sample(one.items, root, depth + 1)];
    case 'string':
      return sampleText(text(one.format));
    default:
      return isObject(one.properties) ? ofProperties(one, root, depth) : type === 'object' ? {} : 'text';
  }
}

function sampleText(format: string | undefined): string {
  switch (format) {
    case 'date':
      return '2026-01-31';
    case 'date-time':
      return '2026-01-31T12:00:00Z';
    case 'uuid':
      return '123e4567-e89b-12d3-a456-426614174000';
    case 'email':
      return 'somebody@example.com';
    case 'uri':
      return 'https://example.com/';
    default:
      return 'text';
  }
}

function ofProperties(schema: Spec, root: Spec, depth: number): Spec {
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  const writable = properties.filter(([, one]) => !(isObject(one) && one.readOnly === true));
  return Object.fromEntries(writable.map(([name, one]) => [name, sample(one, root, depth + 1)]));
}

/** Follows references within the document. */
function resolved(value: Spec, root: Spec): Spec {
  let current = value;
  for (let steps = 0; steps < 8 && typeof current.$ref === 'string'; steps += 1) {
    if (!current.$ref.startsWith('#/')) return {};
    const keys = current.$ref.slice(2).split('/');
    const target = at(root, ...keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~')));
    if (!isObject(target)) return {};
    current = target;
  }
  return current;
}

function at(value: unknown, ...keys: string[]): unknown {
  let current = value;
  for (const key of keys) current = isObject(current) ? current[key] : undefined;
  return current;
}

function written(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? JSON.stringify(value, null, 2) : String(value ?? '');
}

/** The path and query of a call. */
export function addressOf(path: string, parameters: Parameter[]): string {
  const filled = path.replace(/\{([^}]*)\}/g, (_, name: string) => {
    const value = parameters.find((one) => one.in === 'path' && one.name === name)?.value;
    return encodeURIComponent(value === undefined || value === '' ? '1' : value);
  });
  const query = parameters
    .filter((one) => one.in === 'query' && one.value !== '')
    .map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
}
