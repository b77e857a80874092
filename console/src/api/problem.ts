/** What the server says when something was not done (RFC 9457), as an error that can be thrown. */
import type { components } from './schema';

export type Diagnostic = components['schemas']['Diagnostic'];

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: Diagnostic[];
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, detail: string, errors: Diagnostic[] = [], retryAfter?: number) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }
}

/** The request did not reach the server, or its answer did not reach us. */
export const DISCONNECTED = 'disconnected';

export function disconnected(): Problem {
  return new Problem(0, DISCONNECTED, '');
}

/** Reads a problem out of an answer, whatever it looks like. */
export function problemOf(body: unknown, response: Response): Problem {
  const seconds = Number(response.headers.get('retry-after'));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
  if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') {
    const detail = 'detail' in body && typeof body.detail === 'string' ? body.detail : body.code;
    const errors = 'errors' in body && Array.isArray(body.errors) ? (body.errors as Diagnostic[]) : [];
    return new Problem(response.status, body.code, detail, errors, retryAfter);
  }
  return new Problem(response.status, `http_${response.status}`, response.statusText, [], retryAfter);
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, 'unexpected', error instanceof Error ? error.message : String(error));
}

export function isStale(error: unknown): boolean {
  return error instanceof Problem && error.status === 412;
}
