/**
 * Writes a client in TypeScript for a definition: a type for each named schema, a method for each operation, no
 * dependencies but `fetch`. What a schema says beyond TypeScript's types, such as patterns and limits, is left out.
 */
import { isObject, text } from '../../pages/apis/spec';
import { typeOf } from './example';
import { type Definition, type Endpoint, type Json, nameOf, type Parameter } from './read';

export function clientOf(definition: Definition, className: string, baseUrl: string): string {
  const names = namesOf(Object.keys(definition.schemas));
  const cx: Context = { names };
  const types = Object.entries(definition.schemas).map(([name, schema]) => declared(cx, name, schema));
  const taken = new Set(['constructor', 'request']);
  const methods = definition.endpoints.map((endpoint) => method(cx, endpoint, taken));
  const about = [definition.title, definition.version].filter(Boolean).join(' ');
  return [
    `// Client for ${comment(about || className)}, written from its definition. Needs \`fetch\` (browsers, Node.js 18 or newer).`,
    '',
    ...types,
    'export class ApiError extends Error {',
    '  constructor(readonly status: number, readonly body: string) {',
    '    super(`the API answered ${status}`);',
    '  }',
    '}',
    '',
    'export interface Options {',
    '  /** Where the API is. */',
    '  baseUrl?: string;',
    '  /** Sent with every request, such as the API key. */',
    '  headers?: Record<string, string>;',
    '  fetch?: typeof fetch;',
    '}',
    '',
    `export class ${identifier(className)}Client {`,
    '  constructor(private readonly options: Options = {}) {}',
    '',
    ...methods,
    ...REQUEST.replace('BASE', () => JSON.stringify(baseUrl)).split('\n'),
    '}',
    '',
  ].join('\n');
}

const REQUEST = `  private async request(
    method: string,
    path: string,
    query: Record<string, unknown>,
    headers: Record<string, unknown>,
    body?: unknown,
    mediaType?: string,
  ): Promise<unknown> {
    const base = (this.options.baseUrl ?? BASE).replace(/\\/$/, '');
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined) search.append(name, String(one));
      }
    }
    const sent = new Headers(this.options.headers);
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) sent.set(name, String(value));
    }
    const init: RequestInit = { method, headers: sent };
    if (body !== undefined) {
      if (mediaType !== undefined) sent.set('Content-Type', mediaType);
      init.body = typeof body === 'string' && !mediaType?.includes('json') ? body : JSON.stringify(body);
    }
    const asked = search.toString();
    const response = await (this.options.fetch ?? fetch)(base + path + (asked === '' ? '' : \`?\${asked}\`), init);
    const answer = await response.text();
    if (!response.ok) throw new ApiError(response.status, answer);
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return isJson && answer !== '' ? JSON.parse(answer) : answer;
  }`;

interface Context {
  /** How named schemas are called here. */
  names: Map<string, string>;
}

/** Something that TypeScript takes for a name. */
function identifier(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
  return /^[A-Za-z]/.test(joined) ? joined : `Api${joined}`;
}

const OWN_TYPES = [
  'ApiError',
  'Options',
  'Record',
  'Promise',
  'Headers',
  'Array',
  'Error',
  'RequestInit',
  'URLSearchParams',
];

function namesOf(names: string[]): Map<string, string> {
  const taken = new Set(OWN_TYPES);
  return new Map(names.map((name) => [name, free(identifier(name), taken)]));
}

function free(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}${number}`;
  taken.add(name);
  return name;
}

function comment(text: string): string {
  return text.replace(/\*\//g, '* /').replace(/\s+/g, ' ').trim();
}

function doc(text: string | undefined, indent: string): string[] {
  return text === undefined ? [] : [`${indent}/** ${comment(text)} */`];
}

function declared(cx: Context, name: string, schema: Json): string {
  const type = typed(cx, schema, '');
  return [...doc(text(schema.description), ''), `export type ${cx.names.get(name)} = ${type};`, ''].join(
    '\n',
  );
}

function typed(cx: Context, schema: unknown, indent: string, depth = 0): string {
  if (!isObject(schema) || depth > 20) return 'unknown';
  if (schema.$ref !== undefined) return cx.names.get(decodeURIComponent(nameOf(schema) ?? '')) ?? 'unknown';
  const inner = (one: unknown) => typed(cx, one, indent, depth + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum) && schema.enum.length > 0) {
    return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  }
  const some = [schema.oneOf, schema.anyOf].find((choices) => Array.isArray(choices) && choices.length > 0);
  if (Array.isArray(some)) return some.map((choice) => `(${inner(choice)})`).join(' | ');
  if (Array.isArray(schema.allOf)) {
    const own = isObject(schema.properties) ? [{ ...schema, allOf: undefined }] : [];
    return [...schema.allOf, ...own].map((part) => `(${inner(part)})`).join(' & ') || 'unknown';
  }
  const nullable = schema.nullable === true || (Array.isArray(schema.type) && schema.type.includes('null'));
  const type = plain(cx, schema, indent, depth);
  return nullable && type !== 'null' ? `${type} | null` : type;
}

function plain(cx: Context, schema: Json, indent: string, depth: number): string {
  switch (typeOf(schema)) {
    case 'object':
      return objectType(cx, schema, indent, depth);
    case 'array':
      return `Array<${typed(cx, schema.items, indent, depth + 1)}>`;
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    default:
      return schema.type === undefined ? 'unknown' : 'string';
  }
}

function objectType(cx: Context, schema: Json, indent: string, depth: number): string {
  const more = isObject(schema.additionalProperties)
    ? typed(cx, schema.additionalProperties, indent, depth + 1)
    : 'unknown';
  if (!isObject(schema.properties)) return `Record<string, ${more}>`;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const deeper = `${indent}  `;
  const fields = Object.entries(schema.properties).flatMap(([name, property]) => [
    ...doc(isObject(property) ? text(property.description) : undefined, deeper),
    `${deeper}${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${typed(cx, property, deeper, depth + 1)};`,
  ]);
  return ['{', ...fields, `${indent}}`].join('\n');
}

function method(cx: Context, endpoint: Endpoint, taken: Set<string>): string {
  const words = identifier(endpoint.operationId ?? `${endpoint.method.toLowerCase()} ${endpoint.path}`);
  const name = free(`${words[0]?.toLowerCase()}${words.slice(1)}`, taken);
  const own = endpoint.parameters.filter((one) => one.in !== 'cookie');
  const names = new Map<Parameter, string>();
  const keys = new Set(['body']);
  for (const one of own) names.set(one, free(one.name, keys));
  const { body } = endpoint;
  const fields = own.map((one) => {
    const key = JSON.stringify(names.get(one));
    return `${key}${one.required ? '' : '?'}: ${typed(cx, one.schema, '    ')}`;
  });
  if (body !== undefined) fields.push(`body${body.required ? '' : '?'}: ${typed(cx, body.schema, '    ')}`);
  const isNeeded = own.some((one) => one.required) || body?.required === true;
  const argument =
    fields.length === 0
      ? ''
      : `input: {\n${fields.map((field) => `    ${field};\n`).join('')}  }${isNeeded ? '' : ' = {}'}`;
  const good = endpoint.answers.find(({ status }) => status.startsWith('2') || status === 'default');
  const answer = good?.schema === undefined ? 'unknown' : typed(cx, good.schema, '  ');
  const of = (place: string) =>
    own
      .filter((one) => one.in === place)
      .map((one) => `${JSON.stringify(one.name)}: input[${JSON.stringify(names.get(one))}]`)
      .join(', ');
  const path = pathText(endpoint, (parameter) => names.get(parameter) ?? parameter.name);
  const sent = body === undefined ? '' : `, input.body, ${JSON.stringify(body.mediaType)}`;
  return [
    ...doc(endpoint.summary ?? endpoint.description, '  '),
    `  async ${name}(${argument}): Promise<${answer}> {`,
    `    return (await this.request(${JSON.stringify(endpoint.method)}, ${path}, {${of('query')}}, {${of('header')}}${sent})) as ${answer};`,
    '  }',
    '',
  ].join('\n');
}

/** The path, with what is put in encoded. */
function pathText(endpoint: Endpoint, nameIn: (parameter: Parameter) => string): string {
  const parts = endpoint.path.split(/(\{[^}]*\})/).filter((part) => part !== '');
  const texts = parts.map((part) => {
    const name = /^\{(.*)\}$/.exec(part)?.[1];
    const parameter = endpoint.parameters.find((one) => one.in === 'path' && one.name === name);
    if (parameter === undefined) return JSON.stringify(part);
    return `encodeURIComponent(String(input[${JSON.stringify(nameIn(parameter))}]))`;
  });
  return texts.join(' + ') || '""';
}
