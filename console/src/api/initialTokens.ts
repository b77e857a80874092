/** Initial access tokens, with which clients register themselves at the internal authorization server. */
import { queryOptions } from '@tanstack/react-query';
import { client, wanted } from './client';
import type { components } from './schema';

export type InitialToken = components['schemas']['InitialTokenView'];
/** Its text is told once. */
export type MadeInitialToken = components['schemas']['MadeInitialToken'];
type NewInitialToken = components['schemas']['NewInitialToken'];

export const initialTokensQuery = queryOptions({
  queryKey: ['initialTokens'],
  queryFn: async () => (await wanted(client.GET('/oauthInitialTokens'))).items,
  retry: false,
});

export function createInitialToken(body: NewInitialToken): Promise<MadeInitialToken> {
  return wanted(client.POST('/oauthInitialTokens', { body }));
}

export async function deleteInitialToken(id: string): Promise<void> {
  await wanted(client.DELETE('/oauthInitialTokens/{id}', { params: { path: { id } } }));
}
