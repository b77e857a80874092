/** Tokens of the internal authorization server. What they are is told to nobody; this is what is known about them. */
import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { client, wanted } from './client';
import type { components } from './schema';

export type OauthToken = components['schemas']['TokenView2'];
type Page = components['schemas']['TokenPage'];

/** Whose tokens, to the letter. */
export interface OauthTokensWanted {
  application?: string | undefined;
  client?: string | undefined;
  user?: string | undefined;
  /** Only those that count now. */
  live: boolean;
}

const KEY = ['oauthTokens'];

export function oauthTokensQuery(of: OauthTokensWanted) {
  return infiniteQueryOptions({
    queryKey: [...KEY, of],
    queryFn: ({ pageParam }): Promise<Page> => {
      const query = { ...of, after: pageParam, limit: 100 };
      return wanted(client.GET('/oauthTokens', { params: { query } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export const oauthTokensKey = { queryKey: KEY };

/** One token, or all of somebody. */
export type Owner = { id: string } | { application: string } | { client: string } | { user: string };

/** How many were revoked. */
export async function revokeOauthTokens(owner: Owner): Promise<number> {
  return (await wanted(client.POST('/oauthTokens/revoke', { body: owner }))).revoked;
}

/** How many expired ones were deleted. */
export async function cleanUpOauthTokens(): Promise<number> {
  return (await wanted(client.POST('/oauthTokens/cleanUp'))).deleted;
}
