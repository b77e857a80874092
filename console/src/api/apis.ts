/** What there is to know and to do about an API beside its document. */
import { queryOptions } from '@tanstack/react-query';
import { type Asset, replaceAsset } from './assets';
import { client, wanted } from './client';
import type { components } from './schema';

export type ApiApplication = components['schemas']['ApiApplication'];

/** Applications that may call an API: those that name it, and those with a subscription. */
export function apiApplicationsQuery(name: string) {
  return queryOptions({
    queryKey: ['assets', 'apis', 'applications', name],
    queryFn: async () => {
      const answer = await wanted(client.GET('/apis/{name}/applications', { params: { path: { name } } }));
      return answer.items;
    },
  });
}

/** An application may call no version of the API any more. */
export async function removeApiApplication(name: string, id: string): Promise<void> {
  await wanted(client.DELETE('/apis/{name}/applications/{id}', { params: { path: { name, id } } }));
}

/** Gives an API a picture, or takes it away. */
export function setIcon({ name, revision, spec }: Asset, icon: string | undefined): Promise<Asset> {
  const { icon: _, ...rest } = spec;
  return replaceAsset('apis', name, revision, icon === undefined ? rest : { ...rest, icon }, {});
}
