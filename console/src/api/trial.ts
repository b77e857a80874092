/** Trying an API out: requests through the gateway, and definitions from where they are published. */
import { get, post } from './client';
import type { components } from './schema';

export type Trial = components['schemas']['Trial'];
export type TrialAnswer = components['schemas']['TrialAnswer'];
type FetchedDefinition = components['schemas']['FetchedDefinition'];

/** Sends a request to a listener of the node that answers. It is a request like any other. */
export function tryRequest(trial: Trial): Promise<TrialAnswer> {
  return post<TrialAnswer>('/gateway/try', trial);
}

/** The document at a URL, as the gateway reaches it. */
export async function fetchDefinition(url: string): Promise<string> {
  const { document } = await get<FetchedDefinition>(`/gateway/definition?url=${encodeURIComponent(url)}`);
  return document;
}
