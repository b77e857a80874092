/** Operations of an API, read from its definition or from its document. */
import { parse } from 'yaml';
import { type ApiSpec, isObject, text } from './spec';

export interface Operation {
  method: string;
  path: string;
  name: string | undefined;
  summary: string | undefined;
  deprecated: boolean;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** What an OpenAPI document offers; nothing where it is none. */
export function operationsOf(definition: string): Operation[] {
  let document: unknown;
  try {
    document = parse(definition);
  } catch {
    return [];
  }
  if (!isObject(document) || !isObject(document.paths)) return [];
  return Object.entries(document.paths).flatMap(([path, item]) => {
    if (!isObject(item)) return [];
    return METHODS.flatMap((method) => {
      const operation = item[method];
      if (!isObject(operation)) return [];
      return {
        method: method.toUpperCase(),
        path,
        name: text(operation.operationId),
        summary: text(operation.summary),
        deprecated: operation.deprecated === true,
      };
    });
  });
}

/** What is said about the API itself. */
export function aboutOf(definition: string): {
  title: string | undefined;
  version: string | undefined;
  server: string | undefined;
} {
  let document: unknown;
  try {
    document = parse(definition);
  } catch {
    document = undefined;
  }
  const info = isObject(document) && isObject(document.info) ? document.info : {};
  const servers = isObject(document) && Array.isArray(document.servers) ? document.servers : [];
  const first: unknown = servers[0];
  const version = typeof info.version === 'number' ? String(info.version) : text(info.version);
  return { title: text(info.title), version, server: isObject(first) ? text(first.url) : undefined };
}

export function writtenOperations(spec: ApiSpec): Operation[] {
  return spec.operations.map((operation) => ({ ...operation, summary: undefined, deprecated: false }));
}

/** Something that can be called as it is, if possible: a GET without anything to fill in. */
export function easiest(operations: Operation[]): Operation | undefined {
  const gets = operations.filter(({ method }) => method === 'GET');
  return gets.find(({ path }) => !path.includes('{')) ?? gets[0] ?? operations[0];
}
