/** Every address of the console. Pages are loaded when they are first seen. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import { Failed, NotFound, PageLoader } from './fallbacks';
import { patient } from './patient';
import { Shell } from './Shell';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Failed });

/** What a text in an address may be: nothing, or a text. */
function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Which part of a page is open, and how far back its dashboard looks. */
function parts(search: Record<string, unknown>): { tab?: string | undefined; hours?: number | undefined } {
  return { tab: text(search.tab), hours: count(search.hours) };
}

const start = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/apis' });
  },
});

const apis = createRoute({
  getParentRoute: () => root,
  path: '/apis',
  validateSearch: (
    search,
  ): { q?: string | undefined; tag?: string | undefined; sort?: string | undefined } => ({
    q: text(search.q),
    tag: text(search.tag),
    sort: text(search.sort),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/apis/ApisPage')),
    'ApisPage',
  ),
});

const importApi = createRoute({
  getParentRoute: () => root,
  path: '/apis/import',
  component: lazyRouteComponent(
    patient(() => import('../pages/apis/ImportPage')),
    'ImportPage',
  ),
});

const api = createRoute({
  getParentRoute: () => root,
  path: '/apis/$name',
  validateSearch: parts,
  component: lazyRouteComponent(
    patient(() => import('../pages/apis/ApiPage')),
    'ApiPage',
  ),
});

const requests = createRoute({
  getParentRoute: () => root,
  path: '/requests',
  validateSearch: (
    search,
  ): {
    api?: string | undefined;
    application?: string | undefined;
    code?: string | undefined;
    method?: string | undefined;
    since?: string | undefined;
    q?: string | undefined;
  } => ({
    api: text(search.api),
    application: text(search.application),
    code: text(search.code),
    method: text(search.method),
    since: text(search.since),
    q: text(search.q),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/requests/RequestsPage')),
    'RequestsPage',
  ),
});

const request = createRoute({
  getParentRoute: () => root,
  path: '/requests/$id',
  component: lazyRouteComponent(
    patient(() => import('../pages/requests/ExplainPage')),
    'ExplainPage',
  ),
});

const ask = createRoute({
  getParentRoute: () => root,
  path: '/requests/ask',
  validateSearch: (search): { method?: string | undefined; url?: string | undefined } => ({
    method: text(search.method),
    url: text(search.url),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/requests/AskPage')),
    'AskPage',
  ),
});

const assets = createRoute({
  getParentRoute: () => root,
  path: '/assets/$list',
  validateSearch: (search): { q?: string | undefined; sort?: string | undefined } => ({
    q: text(search.q),
    sort: text(search.sort),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/assets/AssetsPage')),
    'AssetsPage',
  ),
});

const newAsset = createRoute({
  getParentRoute: () => root,
  path: '/assets/$list/new',
  component: lazyRouteComponent(
    patient(() => import('../pages/assets/NewAssetPage')),
    'NewAssetPage',
  ),
});

const asset = createRoute({
  getParentRoute: () => root,
  path: '/assets/$list/of/$name',
  validateSearch: parts,
  component: lazyRouteComponent(
    patient(() => import('../pages/assets/AssetPage')),
    'AssetPage',
  ),
});

const account = createRoute({
  getParentRoute: () => root,
  path: '/account',
  component: lazyRouteComponent(
    patient(() => import('../pages/AccountPage')),
    'AccountPage',
  ),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: (
    search,
  ): { user?: string | undefined; object?: string | undefined; event?: string | undefined } => ({
    user: text(search.user),
    object: text(search.object),
    event: text(search.event),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/AuditPage')),
    'AuditPage',
  ),
});

const status = createRoute({
  getParentRoute: () => root,
  path: '/status',
  component: lazyRouteComponent(
    patient(() => import('../pages/StatusPage')),
    'StatusPage',
  ),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(
    patient(() => import('../pages/settings/SettingsPage')),
    'SettingsPage',
  ),
});

const oauthTokens = createRoute({
  getParentRoute: () => root,
  path: '/oauth-tokens',
  validateSearch: (
    search,
  ): {
    application?: string | undefined;
    client?: string | undefined;
    user?: string | undefined;
    ended?: boolean | undefined;
  } => ({
    application: text(search.application),
    client: text(search.client),
    user: text(search.user),
    ended: search.ended === true || undefined,
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/oauth/OauthTokensPage')),
    'OauthTokensPage',
  ),
});

const portal = createRoute({
  getParentRoute: () => root,
  path: '/portal',
  validateSearch: (search): { tab?: string | undefined } => ({ tab: text(search.tab) }),
  component: lazyRouteComponent(
    patient(() => import('../pages/portal/PortalPage')),
    'PortalPage',
  ),
});

const dashboards = createRoute({
  getParentRoute: () => root,
  path: '/dashboards',
  validateSearch: (
    search,
  ): { hours?: number | undefined; api?: string | undefined; application?: string | undefined } => ({
    hours: count(search.hours),
    api: text(search.api),
    application: text(search.application),
  }),
  component: lazyRouteComponent(
    patient(() => import('../pages/dashboards/DashboardPage')),
    'DashboardPage',
  ),
});

export const router = createRouter({
  routeTree: root.addChildren([
    start,
    apis,
    importApi,
    api,
    requests,
    ask,
    request,
    assets,
    newAsset,
    asset,
    account,
    audit,
    oauthTokens,
    settings,
    status,
    portal,
    dashboards,
  ]),
  basepath: import.meta.env.BASE_URL.replace(/\/$/, ''),
  defaultPreload: 'intent',
  defaultPendingComponent: PageLoader,
  defaultErrorComponent: Failed,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
