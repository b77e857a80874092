/** Assets of every kind: lists, one, history, changes. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { type Answer, client, open, wanted } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];

/** A document, whatever its kind: what may be in it is said by the schema of the kind. */
export type Spec = Record<string, unknown>;
export type Kind = Omit<Schemas['KindView'], 'schema'> & { schema: Spec };
export type Asset = Omit<Schemas['ApiAsset'], 'kind' | 'spec'> & { kind: string; spec: Spec };
export type AssetPage = Omit<Schemas['ApiAssets'], 'items'> & { items: Asset[] };
export type Version = Omit<Schemas['VersionView'], 'spec'> & { spec?: Spec | null };
export type Sort = 'name' | '-name' | 'changedAt' | '-changedAt';

export interface Wanted {
  q: string;
  sort: Sort;
  /** As in `tags=pets`. */
  filter?: string | undefined;
}

const PAGE = 100;

/** The paths of every kind of asset are the same: this stands for all of them, with the types of one. */
function of(list: string): '/apis' {
  return `/${list}` as '/apis';
}

function one(list: string): '/apis/{name}' {
  return `/${list}/{name}` as '/apis/{name}';
}

async function asset(answer: Promise<Answer<unknown>>): Promise<Asset> {
  return (await wanted(answer)) as Asset;
}

async function page(answer: Promise<Answer<unknown>>): Promise<AssetPage> {
  return (await wanted(answer)) as AssetPage;
}

export const kindsQuery = queryOptions({
  queryKey: ['kinds'],
  queryFn: async () => (await wanted(client.GET('/kinds'))) as Kind[],
  staleTime: Number.POSITIVE_INFINITY,
});

/** Pages of a list, each beginning after the last asset of the one before. */
export function listQuery(list: string, { q, sort, filter }: Wanted) {
  return infiniteQueryOptions({
    queryKey: ['assets', list, 'list', q, sort, filter ?? ''],
    queryFn: ({ pageParam }) => {
      const query = {
        sort,
        limit: PAGE,
        ...(q === '' ? {} : { q }),
        ...(filter === undefined ? {} : { filter }),
        ...(pageParam === '' ? {} : { after: pageParam }),
      };
      return page(client.GET(of(list), { params: { query } }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
}

/** Names of a kind, to choose from. */
export function namesQuery(list: string) {
  return queryOptions({
    queryKey: ['assets', list, 'names'],
    queryFn: async () => {
      const query = { limit: 1000, fields: 'name' };
      return (await page(client.GET(of(list), { params: { query } }))).items.map((item) => item.name);
    },
  });
}

/** The first few names of a kind that a text is found in. */
export async function findAssets(list: string, q: string): Promise<string[]> {
  const query = { limit: 6, fields: 'name', q };
  return (await page(client.GET(of(list), { params: { query } }))).items.map((item) => item.name);
}

export function assetQuery(list: string, name: string) {
  return queryOptions({
    queryKey: ['assets', list, 'one', name],
    queryFn: () => asset(client.GET(one(list), { params: { path: { name } } })),
  });
}

/** The latest revisions of everything, newest first. */
export const revisionsQuery = queryOptions({
  queryKey: ['assets', 'revisions'],
  queryFn: async () => (await wanted(client.GET('/revisions', { params: { query: { limit: 200 } } }))).items,
});

export function historyQuery(list: string, name: string) {
  return queryOptions({
    queryKey: ['assets', list, 'history', name],
    queryFn: async () => {
      const path = `/${list}/{name}/history` as '/apis/{name}/history';
      const answer = await wanted(client.GET(path, { params: { path: { name } } }));
      return answer.items as Version[];
    },
  });
}

/** How a change is made: only tried, or done for a reason. */
export interface How {
  dryRun?: boolean;
  reason?: string | undefined;
}

function said({ dryRun, reason }: How) {
  return { ...(dryRun ? { dryRun } : {}), ...(reason ? { reason } : {}) };
}

export function createAsset(list: string, spec: Spec, how: How): Promise<Asset> {
  return asset(client.POST(of(list), { params: { query: said(how) }, body: spec }));
}

/** Replaces an asset, if it is still at the revision that the change was made from. */
export function replaceAsset(
  list: string,
  name: string,
  revision: number,
  spec: Spec,
  how: How,
): Promise<Asset> {
  const params = { path: { name }, query: said(how), header: { 'If-Match': `"${revision}"` } };
  return asset(client.PUT(one(list), { params, body: spec }));
}

export async function deleteAsset(list: string, name: string, revision: number, how: How): Promise<void> {
  const params = { path: { name }, query: said(how) };
  await wanted(client.DELETE(one(list), { params, headers: { 'If-Match': `"${revision}"` } }));
}

export function restoreAsset(list: string, name: string, revision: number, how: How) {
  const params = { path: { revision }, query: { ...said(how), kind: list, name } };
  return wanted(client.POST('/revisions/{revision}/restore', { params }));
}

export function definitionQuery(name: string) {
  return queryOptions({
    queryKey: ['assets', 'apis', 'definition', name],
    queryFn: async () => (await open(`/apis/${encodeURIComponent(name)}/definition`)).text(),
    retry: false,
  });
}

export interface Import {
  document: string;
  name?: string | undefined;
  version?: string | undefined;
  upstream?: string | undefined;
  basePath?: string | undefined;
}

export function importApi({ document, ...about }: Import, how: How): Promise<Asset> {
  const query = { ...said(how), ...Object.fromEntries(Object.entries(about).filter(([, value]) => value)) };
  const bodySerializer = (body: unknown) => body as string;
  const headers = { 'Content-Type': 'application/octet-stream' };
  return asset(client.POST('/apis/import', { params: { query }, body: document, bodySerializer, headers }));
}
