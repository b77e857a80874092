/** A call of an endpoint with what somebody filled in. */
import type { Endpoint } from './read';

export interface Filled {
  /** By place and name, as in `query limit`. */
  parameters: Record<string, string>;
  body: string;
}

export interface Call {
  method: string;
  /** Below the base path of the API, with the query. */
  path: string;
  headers: [string, string][];
  body: string | undefined;
}

export function key(place: string, name: string): string {
  return `${place} ${name}`;
}

export function callOf(endpoint: Endpoint, filled: Filled): Call {
  const value = (place: string, name: string) => filled.parameters[key(place, name)] ?? '';
  const path = endpoint.path.replace(/\{([^}]*)\}/g, (whole, name: string) => {
    const given = value('path', name);
    return given === '' ? whole : encodeURIComponent(given);
  });
  const query = new URLSearchParams();
  const headers: [string, string][] = [];
  for (const { name, in: place } of endpoint.parameters) {
    const given = value(place, name);
    if (given === '') continue;
    if (place === 'query') query.append(name, given);
    if (place === 'header') headers.push([name, given]);
  }
  const body = endpoint.body === undefined || filled.body === '' ? undefined : filled.body;
  if (body !== undefined && endpoint.body !== undefined)
    headers.push(['Content-Type', endpoint.body.mediaType]);
  const asked = query.size === 0 ? '' : `?${query}`;
  return { method: endpoint.method, path: path + asked, headers, body };
}

/** Required parameters that nothing was filled in for. */
export function missing(endpoint: Endpoint, filled: Filled): string[] {
  return endpoint.parameters
    .filter(({ name, in: place, required }) => required && !filled.parameters[key(place, name)])
    .map(({ name }) => name);
}
