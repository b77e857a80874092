/** Reads an OpenAPI document with care: what a reader needs of it, whatever its version, and nothing where it is broken. */
import { parse } from 'yaml';
import { isObject, text } from '../../pages/apis/spec';

export type Json = Record<string, unknown>;
export type Place = 'path' | 'query' | 'header' | 'cookie';

export interface Parameter {
  name: string;
  in: Place;
  required: boolean;
  description: string | undefined;
  schema: Json;
}

export interface Body {
  mediaType: string;
  required: boolean;
  description: string | undefined;
  schema: Json;
  example: unknown;
}

export interface Answer {
  status: string;
  description: string | undefined;
  mediaType: string | undefined;
  schema: Json | undefined;
}

export interface Endpoint {
  /** Unique in the document, for addresses. */
  id: string;
  method: string;
  path: string;
  operationId: string | undefined;
  summary: string | undefined;
  description: string | undefined;
  tag: string | undefined;
  deprecated: boolean;
  parameters: Parameter[];
  body: Body | undefined;
  answers: Answer[];
  /** Alternatives, each with the names of the schemes that it asks for together. */
  security: Json[];
}

export interface Definition {
  title: string | undefined;
  version: string | undefined;
  description: string | undefined;
  endpoints: Endpoint[];
  /** Named schemas, by their names. */
  schemas: Record<string, Json>;
  document: Json;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];
const PLACES: string[] = ['path', 'query', 'header', 'cookie'] satisfies Place[];
/** References that lead to references: more than anybody writes, fewer than a circle has. */
const DEEPEST = 20;

export function readDefinition(source: string): Definition | undefined {
  let document: unknown;
  try {
    document = parse(source, { maxAliasCount: 1_000 });
  } catch {
    return undefined;
  }
  if (!isObject(document) || !isObject(document.paths)) return undefined;
  const info = isObject(document.info) ? document.info : {};
  const components = isObject(document.components) ? document.components : {};
  const schemas = isObject(components.schemas) ? components.schemas : document.definitions;
  return {
    title: text(info.title),
    version: typeof info.version === 'number' ? String(info.version) : text(info.version),
    description: text(info.description),
    endpoints: endpointsOf(document),
    schemas: isObject(schemas)
      ? Object.fromEntries(
          Object.entries(schemas).filter((entry): entry is [string, Json] => isObject(entry[1])),
        )
      : {},
    document,
  };
}

/** What a reference within the document stands for. Other documents are not fetched. */
export function resolve(document: Json, value: unknown): Json {
  let found = value;
  for (let depth = 0; depth < DEEPEST && isObject(found); depth += 1) {
    const reference = text(found.$ref);
    if (reference === undefined) return found;
    if (!reference.startsWith('#/')) return {};
    found = reference
      .slice(2)
      .split('/')
      .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>(
        (at, part) => (isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined),
        document,
      );
  }
  return {};
}

/** The name that a reference to a named schema ends with. */
export function nameOf(schema: Json): string | undefined {
  return /^#\/(?:components\/schemas|definitions)\/([^/]+)$/.exec(text(schema.$ref) ?? '')?.[1];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function endpointsOf(document: Json): Endpoint[] {
  const found: Endpoint[] = [];
  for (const [path, unresolved] of Object.entries(document.paths as Json)) {
    const item = resolve(document, unresolved);
    for (const method of METHODS) {
      const operation = item[method];
      if (!isObject(operation)) continue;
      const written = [...list(item.parameters), ...list(operation.parameters)].map((one) =>
        resolve(document, one),
      );
      found.push({
        id: text(operation.operationId) ?? `${method}-${path}`,
        method: method.toUpperCase(),
        path,
        operationId: text(operation.operationId),
        summary: text(operation.summary),
        description: text(operation.description),
        tag: list(operation.tags).map(text)[0],
        deprecated: operation.deprecated === true,
        parameters: parametersOf(written),
        body: bodyOf(document, operation, written),
        answers: answersOf(document, operation),
        security: list(operation.security ?? document.security).filter(isObject),
      });
    }
  }
  return found;
}

/** Parameters of an operation take the place of those of its path. */
function parametersOf(written: Json[]): Parameter[] {
  const found = new Map<string, Parameter>();
  for (const one of written) {
    const name = text(one.name);
    const place = text(one.in) ?? '';
    if (name === undefined || !PLACES.includes(place)) continue;
    const { type, format, items, enum: choices, default: usual } = one;
    // OpenAPI 2 writes the schema into the parameter.
    const schema = isObject(one.schema)
      ? one.schema
      : withoutGaps({ type, format, items, enum: choices, default: usual });
    found.set(`${place} ${name}`, {
      name,
      in: place as Place,
      required: place === 'path' || one.required === true,
      description: text(one.description),
      schema: one.example === undefined ? schema : { ...schema, example: one.example },
    });
  }
  return [...found.values()];
}

function withoutGaps(values: Json): Json {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function bodyOf(document: Json, operation: Json, written: Json[]): Body | undefined {
  const old = written.find((one) => one.in === 'body');
  if (old !== undefined) {
    const mediaType = list(operation.consumes).map(text)[0] ?? 'application/json';
    const schema = isObject(old.schema) ? old.schema : {};
    return {
      mediaType,
      required: old.required === true,
      description: text(old.description),
      schema,
      example: undefined,
    };
  }
  if (operation.requestBody === undefined) return undefined;
  const body = resolve(document, operation.requestBody);
  const content = contentOf(document, body.content);
  if (content === undefined) return undefined;
  return { ...content, required: body.required === true, description: text(body.description) };
}

/** The content in JSON, if there is one; else the first. */
function contentOf(
  document: Json,
  content: unknown,
): { mediaType: string; schema: Json; example: unknown } | undefined {
  if (!isObject(content)) return undefined;
  const entries = Object.entries(content);
  const entry = entries.find(([mediaType]) => mediaType.includes('json')) ?? entries[0];
  if (entry === undefined || !isObject(entry[1])) return undefined;
  const [mediaType, about] = entry;
  const named = isObject(about.examples) ? Object.values(about.examples)[0] : undefined;
  const example = about.example ?? (named === undefined ? undefined : resolve(document, named).value);
  return { mediaType, schema: isObject(about.schema) ? about.schema : {}, example };
}

function answersOf(document: Json, operation: Json): Answer[] {
  if (!isObject(operation.responses)) return [];
  return Object.entries(operation.responses).map(([status, unresolved]) => {
    const answer = resolve(document, unresolved);
    const content = contentOf(document, answer.content);
    const old = isObject(answer.schema) ? answer.schema : undefined;
    return {
      status,
      description: text(answer.description),
      mediaType: content?.mediaType ?? (old === undefined ? undefined : 'application/json'),
      schema: content?.schema ?? old,
    };
  });
}
