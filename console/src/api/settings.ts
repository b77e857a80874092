/** The settings that all nodes may share, as the node that answers serves by them. */
import { queryOptions } from '@tanstack/react-query';
import { client, wanted } from './client';
import type { components } from './schema';

export type SettingsSection = components['schemas']['SettingsSection'];

/** Under the assets, so that a change of one has them asked for again. */
export const settingsQuery = queryOptions({
  queryKey: ['assets', 'sharedSettings', 'served'],
  queryFn: async () => (await wanted(client.GET('/gateway/settings'))).items,
});
