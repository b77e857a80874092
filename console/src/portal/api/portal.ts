/** What the portal asks the server for: the look, the catalogue, and what somebody owns there. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { client, open, wanted } from '../../api/client';
import type { components } from '../../api/schema';

type Schemas = components['schemas'];

export type Look = Schemas['PortalView'];
export type ApiPage = Schemas['PortalApiPage'];
export type ApiSummary = Schemas['PortalApiView'];
export type ApiDetail = Schemas['PortalApiDetail'];
export type Plan = Schemas['PlanView'];
export type Document = Schemas['DocumentView'];
export type Comment = Schemas['CommentView'];
export type Application = Schemas['OwnApplication'];
export type Key = Schemas['KeyView'];
export type MadeKey = Schemas['MadeKey'];
export type OauthClient = Schemas['OwnOauthClient'];
export type MadeOauthClient = Schemas['MadeOauthClient'];
export type MadeSecret = Schemas['MadeSecret'];
export type GrantType = Schemas['GrantType'];
export type Offered = Schemas['PortalOauthView'];
export type Subscription = Schemas['SubscriptionView'];
export type Profile = Schemas['ProfileView'];
export type Tried = Omit<Schemas['TryAnswer'], 'headers'> & { headers: [string, string][] };
export type Report = Schemas['AnalyticsReport'];
export type Bucket = Schemas['AnalyticsItem'];
export type Consent = Schemas['ConsentView'];
export type SignedUp = Schemas['SignedUp'];

const named = (name: string) => ({ params: { path: { name } } });

export const lookQuery = queryOptions({
  queryKey: ['portal', 'look'],
  queryFn: (): Promise<Look> => wanted(client.GET('/portal')),
  staleTime: 60_000,
});

export function pageQuery(slug: string) {
  return queryOptions({
    queryKey: ['portal', 'page', slug],
    queryFn: () => wanted(client.GET('/portal/pages/{name}', named(slug))),
    retry: false,
  });
}

export type CatalogSort = 'name' | 'rating' | 'changed';

export interface Search {
  q?: string | undefined;
  category?: string | undefined;
  tag?: string | undefined;
  sort?: CatalogSort | undefined;
  page?: number | undefined;
}

export const PAGE_SIZE = 24;

export function catalogQuery({ q, category, tag, sort, page = 1 }: Search, limit = PAGE_SIZE) {
  const query = {
    limit,
    offset: (page - 1) * limit,
    ...(q === undefined ? {} : { search: q }),
    ...(category === undefined ? {} : { category }),
    ...(tag === undefined ? {} : { tag }),
    ...(sort === undefined ? {} : { sort }),
  };
  return queryOptions({
    queryKey: ['portal', 'apis', 'list', query],
    queryFn: (): Promise<ApiPage> => wanted(client.GET('/portal/apis', { params: { query } })),
    placeholderData: keepPreviousData,
  });
}

export function apiQuery(name: string) {
  return queryOptions({
    queryKey: ['portal', 'apis', 'one', name],
    queryFn: (): Promise<ApiDetail> => wanted(client.GET('/portal/apis/{name}', named(name))),
  });
}

export function definitionPath(name: string): string {
  return `/portal/apis/${encodeURIComponent(name)}/definition`;
}

export function portalDefinitionQuery(name: string) {
  return queryOptions({
    queryKey: ['portal', 'apis', 'definition', name],
    queryFn: async () => (await open(definitionPath(name))).text(),
    staleTime: 60_000,
  });
}

export function documentPath(name: string): string {
  return `/portal/documents/${encodeURIComponent(name)}`;
}

export function documentQuery(name: string) {
  return queryOptions({
    queryKey: ['portal', 'document', name],
    queryFn: async () => (await open(documentPath(name))).text(),
  });
}

export function commentsQuery(name: string) {
  return queryOptions({
    queryKey: ['portal', 'apis', 'comments', name],
    queryFn: () => wanted(client.GET('/portal/apis/{name}/comments', named(name))),
  });
}

export async function addComment(name: string, text: string): Promise<void> {
  await wanted(client.POST('/portal/apis/{name}/comments', { ...named(name), body: { text } }));
}

export async function deleteComment(id: string): Promise<void> {
  await wanted(client.DELETE('/portal/comments/{id}', { params: { path: { id } } }));
}

export async function rate(name: string, stars: number): Promise<void> {
  await wanted(client.PUT('/portal/apis/{name}/rating', { ...named(name), body: { stars } }));
}

export const applicationsQuery = queryOptions({
  queryKey: ['portal', 'applications', 'list'],
  queryFn: async (): Promise<Application[]> => (await wanted(client.GET('/portal/applications'))).items,
});

export function applicationQuery(name: string) {
  return queryOptions({
    queryKey: ['portal', 'applications', 'one', name],
    queryFn: (): Promise<Application> => wanted(client.GET('/portal/applications/{name}', named(name))),
  });
}

export type NewApplication = Schemas['NewApplication'];

export function createApplication(body: NewApplication): Promise<Application> {
  return wanted(client.POST('/portal/applications', { body }));
}

export function changeApplication(body: NewApplication): Promise<Application> {
  return wanted(client.PUT('/portal/applications/{name}', { ...named(body.name), body }));
}

export async function deleteApplication(name: string): Promise<void> {
  await wanted(client.DELETE('/portal/applications/{name}', named(name)));
}

export interface WantedKey {
  expiresIn?: string;
  replaces?: string;
  overlap?: string;
}

export function createKey(application: string, body: WantedKey): Promise<MadeKey> {
  return wanted(
    // What is left out has a default, which the generated type does not know.
    client.POST('/portal/applications/{name}/keys', {
      ...named(application),
      body: body as Schemas['NewKey'],
    }),
  );
}

export async function deleteKey(application: string, id: string): Promise<void> {
  const params = { path: { name: application, id } };
  await wanted(client.DELETE('/portal/applications/{name}/keys/{id}', { params }));
}

export interface WantedOauthClient {
  name?: string;
  public?: boolean;
  grantTypes?: GrantType[];
  redirectUris?: string[];
  expiresIn?: string;
}

export function createOauthClient(application: string, body: WantedOauthClient): Promise<MadeOauthClient> {
  return wanted(
    client.POST('/portal/applications/{name}/oauthClients', {
      ...named(application),
      body: body as Schemas['NewOauthClient'],
    }),
  );
}

const ofClient = (name: string, id: string) => ({ params: { path: { name, client: id } } });

export interface WantedSecret {
  expiresIn?: string;
  overlap?: string;
}

export function rotateSecret(application: string, id: string, body: WantedSecret): Promise<MadeSecret> {
  return wanted(
    client.POST('/portal/applications/{name}/oauthClients/{client}/secrets', {
      ...ofClient(application, id),
      body: body as Schemas['NewSecret'],
    }),
  );
}

export async function deleteOauthClient(application: string, id: string): Promise<void> {
  await wanted(client.DELETE('/portal/applications/{name}/oauthClients/{client}', ofClient(application, id)));
}

/** A token that the gateway issues to try an API with, for who is signed in: no secret is needed for it. */
export function fetchToken(application: string, id: string, scope: string): Promise<Schemas['TrialToken']> {
  return wanted(
    client.POST('/portal/applications/{name}/oauthClients/{client}/tokens', {
      ...ofClient(application, id),
      body: { scope } as Schemas['NewTrialToken'],
    }),
  );
}

export interface WantedSubscription {
  application: string;
  /** Without a version. */
  api: string;
  plan: string;
  message?: string;
}

export function subscribe(body: WantedSubscription): Promise<Subscription> {
  return wanted(client.POST('/portal/subscriptions', { body }));
}

export function changePlan(name: string, plan: string, message?: string): Promise<Subscription> {
  const body = message === undefined ? { plan } : { plan, message };
  return wanted(client.PUT('/portal/subscriptions/{name}', { ...named(name), body }));
}

export async function unsubscribe(name: string): Promise<void> {
  await wanted(client.DELETE('/portal/subscriptions/{name}', named(name)));
}

export function usageQuery(application: string, days: number) {
  return queryOptions({
    queryKey: ['portal', 'applications', 'usage', application, days],
    queryFn: (): Promise<Report> => {
      const to = Date.now();
      const interval = days <= 1 ? ('hour' as const) : ('day' as const);
      const query = { from: to - days * 86_400_000, to, interval };
      return wanted(
        client.GET('/portal/applications/{name}/usage', { params: { path: { name: application }, query } }),
      );
    },
  });
}

export const profileQuery = queryOptions({
  queryKey: ['portal', 'profile'],
  queryFn: (): Promise<Profile> => wanted(client.GET('/portal/profile')),
});

export function saveProfile(body: Schemas['NewProfile']): Promise<Profile> {
  return wanted(client.PUT('/portal/profile', { body }));
}

export const consentsQuery = infiniteQueryOptions({
  queryKey: ['portal', 'consents'],
  queryFn: ({ pageParam }: { pageParam: string | undefined }): Promise<Schemas['ConsentPage']> =>
    wanted(client.GET('/portal/consents', { params: { query: { after: pageParam } } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next ?? undefined,
});

export function takeBack(id: string): Promise<unknown> {
  return wanted(client.DELETE('/portal/consents/{client}', { params: { path: { client: id } } }));
}

export function signUp(body: Schemas['NewSignUp']): Promise<SignedUp> {
  return wanted(client.POST('/portal/signUp', { body }));
}

export interface TryRequest {
  api: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export async function tryApi(body: TryRequest): Promise<Tried> {
  return (await wanted(client.POST('/portal/try', { body }))) as Tried;
}
