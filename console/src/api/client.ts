/** The one place that talks to the server. Types come from its OpenAPI document: a renamed field breaks the build. */
import createClient from 'openapi-fetch';
import { setConnection } from './connection';
import { disconnected, Problem, problemOf } from './problem';
import type { paths } from './schema';

export const BASE = '/api/v1';

let csrf = '';

/** The token that proves that a change comes from this page (it is not in the cookie). */
export function setCsrf(token: string): void {
  csrf = token;
}

/** `fetch` with the token, which notices lost connections and ended sessions. */
async function talk(request: Request): Promise<Response> {
  if (csrf !== '' && request.method !== 'GET' && request.method !== 'HEAD')
    request.headers.set('X-CSRF-Token', csrf);
  // Without this, the browser would ask for a password by itself.
  request.headers.set('X-Requested-With', 'console');
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    setConnection({ online: false });
    throw disconnected();
  }
  setConnection({ online: true });
  const isLogin = request.url.endsWith(`${BASE}/session`);
  if (response.status === 401 && !isLogin) setConnection({ expired: true });
  return response;
}

export const client = createClient<paths>({ baseUrl: BASE, fetch: talk });

export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What was asked for, or a `Problem` thrown. */
export async function wanted<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(error, response);
  return data as T;
}

/** For what the document does not describe: answers of the node's operations. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await open(path, { signal });
  return (await response.json()) as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await open(path, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

/** An answer whose body is read by the caller, such as a stream or a text. */
export async function open(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await talk(new Request(new URL(BASE + path, window.location.origin), init));
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => undefined);
  throw problemOf(body, response);
}

/** Whether trying the same again could help. */
export function worthAnotherTry(failures: number, error: unknown): boolean {
  const status = error instanceof Problem ? error.status : 0;
  return failures < 2 && (status === 0 || status === 502 || status === 503);
}
