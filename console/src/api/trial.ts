/** Trying an API out: requests through the gateway, and definitions from where they are published. */
import { get, post } from './client';

export interface Trial {
  method: string;
  /** Path with query. */
  url: string;
  headers: [string, string][];
  body: string;
}

export interface TrialAnswer {
  requestId: string | null;
  listener: string;
  status: number;
  headers: [string, string][];
  /** In base64 when it is not text. */
  body: string;
  base64: boolean;
  truncated: boolean;
  millis: number;
}

/** Sends a request to a listener of the node that answers. It is a request like any other. */
export function tryRequest(trial: Trial): Promise<TrialAnswer> {
  return post<TrialAnswer>('/gateway/try', trial);
}

/** The document at a URL, as the gateway reaches it. */
export async function fetchDefinition(url: string): Promise<string> {
  const { document } = await get<{ document: string }>(`/gateway/definition?url=${encodeURIComponent(url)}`);
  return document;
}
