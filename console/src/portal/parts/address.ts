/** Where consumers find an API. */
import type { ApiDetail, Look } from '../api/portal';

export function baseUrl(look: Look, api: ApiDetail): string {
  const gateway = (look.gatewayUrl ?? window.location.origin).replace(/\/$/, '');
  const host = api.hosts.find((name) => !name.startsWith('*'));
  const path = api.basePath.replace(/\/$/, '');
  if (host === undefined) return gateway + path;
  const url = new URL(gateway);
  url.hostname = host;
  return url.origin + path;
}

/** Stands for the caller's key, which the portal does not know. */
export const KEY_PLACEHOLDER = 'YOUR_API_KEY';

export function keyHeaders(api: ApiDetail, key: string = KEY_PLACEHOLDER): [string, string][] {
  return api.keyHeader == null ? [] : [[api.keyHeader, key]];
}

/** Stands for a token, in the same way. */
export const TOKEN_PLACEHOLDER = 'YOUR_ACCESS_TOKEN';

export function tokenHeaders(token: string = TOKEN_PLACEHOLDER): [string, string][] {
  return [['Authorization', `Bearer ${token}`]];
}
