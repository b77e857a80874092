/** Every address of the portal. Pages are loaded when they are first seen. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Failed, PageLoader } from '../app/fallbacks';
import { patient } from '../app/patient';
import type { CatalogSort, Search } from './api/portal';
import { Frame } from './Frame';
import { NotFound } from './parts/NotFound';

export const portalRoot = createRootRoute({
  component: Frame,
  notFoundComponent: NotFound,
  errorComponent: Failed,
});

function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const SORTS: string[] = ['rating', 'changed'] satisfies CatalogSort[];

const home = createRoute({
  getParentRoute: () => portalRoot,
  path: '/',
  component: lazyRouteComponent(
    patient(() => import('./pages/HomePage')),
    'HomePage',
  ),
});

const apis = createRoute({
  getParentRoute: () => portalRoot,
  path: '/apis',
  validateSearch: (search): Search => ({
    q: text(search.q),
    category: text(search.category),
    tag: text(search.tag),
    sort: SORTS.includes(String(search.sort)) ? (search.sort as CatalogSort) : undefined,
    page: typeof search.page === 'number' && search.page > 1 ? Math.floor(search.page) : undefined,
  }),
  component: lazyRouteComponent(
    patient(() => import('./pages/CatalogPage')),
    'CatalogPage',
  ),
});

export interface ApiSearch {
  tab?: string | undefined;
  /** The operation, or the document, that is shown. */
  at?: string | undefined;
}

const api = createRoute({
  getParentRoute: () => portalRoot,
  path: '/apis/$name',
  validateSearch: (search): ApiSearch => ({ tab: text(search.tab), at: text(search.at) }),
  component: lazyRouteComponent(
    patient(() => import('./pages/ApiPage')),
    'ApiPage',
  ),
});

const page = createRoute({
  getParentRoute: () => portalRoot,
  path: '/pages/$slug',
  component: lazyRouteComponent(
    patient(() => import('./pages/CustomPage')),
    'CustomPage',
  ),
});

const login = createRoute({
  getParentRoute: () => portalRoot,
  path: '/login',
  validateSearch: (search): { to?: string | undefined } => ({ to: text(search.to) }),
  component: lazyRouteComponent(
    patient(() => import('./pages/LoginPage')),
    'LoginPage',
  ),
});

const signUp = createRoute({
  getParentRoute: () => portalRoot,
  path: '/signup',
  component: lazyRouteComponent(
    patient(() => import('./pages/SignUpPage')),
    'SignUpPage',
  ),
});

const applications = createRoute({
  getParentRoute: () => portalRoot,
  path: '/applications',
  component: lazyRouteComponent(
    patient(() => import('./pages/ApplicationsPage')),
    'ApplicationsPage',
  ),
});

const application = createRoute({
  getParentRoute: () => portalRoot,
  path: '/applications/$name',
  validateSearch: (search): { tab?: string | undefined } => ({ tab: text(search.tab) }),
  component: lazyRouteComponent(
    patient(() => import('./pages/ApplicationPage')),
    'ApplicationPage',
  ),
});

const account = createRoute({
  getParentRoute: () => portalRoot,
  path: '/account',
  component: lazyRouteComponent(
    patient(() => import('./pages/AccountPage')),
    'AccountPage',
  ),
});

export const portalRouter = createRouter({
  routeTree: portalRoot.addChildren([
    home,
    apis,
    api,
    page,
    login,
    signUp,
    applications,
    application,
    account,
  ]),
  basepath: '/portal',
  defaultPreload: 'intent',
  defaultPendingComponent: PageLoader,
  defaultErrorComponent: Failed,
  scrollRestoration: true,
});
