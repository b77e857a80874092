/**
 * Links and addresses of the portal. The router's own types are those of the console, which is the other application in
 * this folder: here, addresses are texts.
 */
import { Link as RouterLink, useNavigate as useRouterNavigate, useParams, useSearch } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, ReactNode, Ref } from 'react';

type Search = Record<string, string | number | undefined>;

export interface To {
  to: string;
  search?: Search | undefined;
}

type Props = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> &
  To & { children?: ReactNode; ref?: Ref<HTMLAnchorElement> };

export function Link(props: Props) {
  // The types that the router knows are those of the console.
  return <RouterLink {...(props as object)} />;
}

export function useGo(): (where: To & { replace?: boolean; resetScroll?: boolean }) => void {
  const navigate = useRouterNavigate();
  return (where) => void navigate(where as object);
}

export function useAddress<Params, Query = object>(): { params: Params; search: Query } {
  return {
    params: useParams({ strict: false }) as Params,
    search: useSearch({ strict: false }) as Query,
  };
}

export function apiPath(name: string): string {
  return `/apis/${encodeURIComponent(name)}`;
}

export function applicationPath(name: string): string {
  return `/applications/${encodeURIComponent(name)}`;
}
