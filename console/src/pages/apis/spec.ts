/** What the document of an API says, read with care: it may say little. */
import type { Asset, Spec } from '../../api/assets';

export interface ApiSpec {
  title: string;
  version: string;
  description: string | undefined;
  inactive: boolean;
  tags: string[];
  groups: string[];
  maturity: string | undefined;
  owner: string | undefined;
  /** Anything else that is worth knowing. */
  attributes: Record<string, string>;
  basePath: string;
  hosts: string[];
  upstream: string | undefined;
  templates: string[];
  policies: Spec[];
  operations: { method: string; path: string; name: string | undefined }[];
  hasDefinition: boolean;
}

export function apiSpec({ name, spec }: Asset): ApiSpec {
  const colon = name.lastIndexOf(':');
  const title = text(spec.name) ?? (colon < 0 ? name : name.slice(0, colon));
  const version = text(spec.version) ?? (colon < 0 ? '' : name.slice(colon + 1));
  return {
    title,
    version,
    description: text(spec.description),
    inactive: spec.inactive === true,
    tags: texts(spec.tags),
    groups: texts(spec.groups),
    maturity: text(spec.maturity),
    owner: text(spec.owner),
    attributes: Object.fromEntries(
      Object.entries(isObject(spec.attributes) ? spec.attributes : {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
    basePath: text(spec.basePath) ?? `/gateway/${encodeURIComponent(title)}/${version}`,
    hosts: texts(spec.hosts),
    upstream: text(spec.upstream),
    templates: texts(spec.templates),
    policies: objects(spec.policies),
    operations: objects(spec.operations).map((operation) => ({
      method: text(operation.method) ?? '*',
      path: text(operation.path) ?? '/',
      name: text(operation.name),
    })),
    hasDefinition: text(spec.definition) !== undefined,
  };
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

export function objects(value: unknown): Spec[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function isObject(value: unknown): value is Spec {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
