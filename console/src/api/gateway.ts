/** The node that answers: its state, its requests and why they went the way they did. */
import { queryOptions } from '@tanstack/react-query';
import { get, open, post } from './client';
import type { Diagnostic } from './problem';
import type { components } from './schema';

export interface Status {
  version: string;
  configuration: {
    revision: number;
    servedSince: number;
    warnings: Diagnostic[];
    failure: { at: number; problems: Diagnostic[] } | null;
  };
  listeners: { name: string; address: string; tls: boolean }[];
  apis: number;
  applications: number;
  upstreams: {
    name: string;
    endpoints: { url: string; healthy: boolean; available: boolean; connections: number }[];
  }[];
  authorizationServers?: AuthorizationServerStatus[];
  connections: number;
  requestsInProgress: number;
  manager: {
    revision: number;
    store: { reachable: boolean; problem: string | null };
    /** Missing while the database does not answer. */
    nodes?: NodeView[];
  } | null;
}

export interface AuthorizationServerStatus {
  name: string;
  issuer: string | null;
  keys: number;
  /** They are fetched from the server. */
  keysFetched: boolean;
  keysAgeSeconds: number | null;
  failing: boolean;
  problem: string | null;
}

/** A node of the store, and what it serves. */
export type NodeView = components['schemas']['NodeView'];

/** A request that has ended, as it is stored. */
export interface RequestEvent {
  creationDate: number;
  correlationID: string;
  apiName: string;
  apiVersion: string;
  operationName: string;
  httpMethod: string;
  requestPath: string;
  queryParameters: string;
  applicationName: string;
  applicationIp: string;
  responseCode: number;
  status: 'SUCCESS' | 'FAILURE';
  reasonCode: string;
  totalTime: number;
  providerTime: number;
}

export interface EventPage {
  events: RequestEvent[];
  next: string | null;
}

export interface ExplainedPolicy {
  stage: string;
  type: string;
  name: string;
  level: string;
  place?: string;
  template?: string;
  verdict: string;
  reason?: string;
  note?: string;
  micros: number;
}

export interface ExplainedCall {
  name: string;
  afterMillis: number;
  tookMillis: number;
  status?: number;
  failure?: string;
}

export interface ExplainedAttempt {
  endpoint: string;
  afterMillis: number;
  tookMillis: number;
  status?: number;
  failure?: string;
  connection: string;
}

/** A policy that was written for an operation and gives way, or is disabled. */
export type InertPolicy = Omit<ExplainedPolicy, 'verdict' | 'micros'> & { why: string };

/** Everything decided about one request. */
export interface Explanation {
  requestId: string;
  time: string;
  revision: number;
  /** Of the assets, where a dry run was asked about one. */
  assetRevision?: number;
  method: string;
  host?: string;
  path: string;
  resolvedPath?: string;
  query?: string;
  client: string;
  status: number;
  reason?: { code: string; message: string; origin: string };
  detail?: string;
  api?: string;
  operation?: { name: string; method: string; path: string };
  application?: string;
  candidates?: { api: string; basePath: string; operation?: string; chosen: boolean; why: string }[];
  policies: ExplainedPolicy[];
  inert?: InertPolicy[];
  attempts: ExplainedAttempt[];
  calls?: ExplainedCall[];
  requestBytes: number;
  responseBytes: number;
  totalMicros: number;
  providerMicros: number;
  dryRun?: boolean;
  messages?: Record<string, Record<string, unknown> | string>;
}

export interface Question {
  method: string;
  url: string;
  headers?: [string, string][];
  client?: string;
  /** Revision of the assets; without it, what is served. */
  revision?: number;
}

export interface RequestFilter {
  api?: string | undefined;
  code?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
  id?: string | undefined;
  application?: string | undefined;
  client?: string | undefined;
  /** Code of the reason. */
  reason?: string | undefined;
  /** Not before this, in milliseconds since 1970. */
  from?: string | undefined;
}

export const statusQuery = queryOptions({
  queryKey: ['gateway', 'status'],
  queryFn: ({ signal }) => get<Status>('/gateway/status', signal),
  refetchInterval: 5_000,
});

function query(filter: RequestFilter, more: Record<string, string> = {}): string {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const text = new URLSearchParams([
    ...given,
    ...Object.entries({ type: 'Transactional', ...more }),
  ]).toString();
  return `?${text}`;
}

export function listRequests(
  filter: RequestFilter,
  cursor: string,
  signal?: AbortSignal,
): Promise<EventPage> {
  return get<EventPage>(
    `/gateway/events${query(filter, { limit: '100', ...(cursor ? { cursor } : {}) })}`,
    signal,
  );
}

/** Requests as they end, until the signal says that nobody looks any more. */
export async function followRequests(
  filter: RequestFilter,
  signal: AbortSignal,
  opened: () => void,
  seen: (events: RequestEvent[]) => void,
): Promise<void> {
  const response = await open(`/gateway/events/follow${query(filter)}`, { signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  opened();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as RequestEvent);
    if (events.length > 0) seen(events);
  }
}

export function explanationQuery(id: string) {
  return queryOptions({
    queryKey: ['gateway', 'explain', id],
    queryFn: ({ signal }) => get<Explanation>(`/gateway/explain/${encodeURIComponent(id)}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** What would become of a request; nothing is sent or counted. */
export function dryRun(question: Question): Promise<Explanation> {
  return post<Explanation>('/gateway/explain', question);
}
