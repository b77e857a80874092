/**
 * Links and addresses of the portal. The router's own types are those of the console, which is the other application in
 * this folder: here, addresses are texts.
 */
import {
  Link as RouterLink,
  useNavigate as useRouterNavigate,
  useParams,
  useSearch,
} from '@tanstack/react-router';
import type { AnchorHTMLAttributes, ComponentType, ReactNode, Ref } from 'react';

type Search = Record<string, string | number | undefined>;

export interface To {
  to: string;
  search?: Search | undefined;
}

type Props = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> &
  To & { children?: ReactNode; ref?: Ref<HTMLAnchorElement> };

// The types that the router knows are those of the console.
const AnyLink = RouterLink as ComponentType<object>;
const useAnyParams = useParams as unknown as (options: { strict: false }) => unknown;
const useAnySearch = useSearch as unknown as (options: { strict: false }) => unknown;

export function Link(props: Props) {
  return <AnyLink {...props} />;
}

export function useGo(): (where: To & { replace?: boolean; resetScroll?: boolean }) => void {
  const navigate = useRouterNavigate();
  return (where) => void navigate(where as object);
}

export function useAddress<Params, Query = object>(): { params: Params; search: Query } {
  return {
    params: useAnyParams({ strict: false }) as Params,
    search: useAnySearch({ strict: false }) as Query,
  };
}

export function apiPath(name: string): string {
  return `/apis/${encodeURIComponent(name)}`;
}

export function applicationPath(name: string): string {
  return `/applications/${encodeURIComponent(name)}`;
}
