/** The policies that this gateway knows: where they run, what they are for, what they can be told. */
import { queryOptions } from '@tanstack/react-query';
import type { Spec } from './assets';
import { client, wanted } from './client';
import type { components } from './schema';

/** In the order in which a request meets them. */
export const STAGES = [
  'transport',
  'identify & access',
  'request processing',
  'routing',
  'traffic monitoring',
  'response processing',
  'error handling',
] as const;

export type PolicyType = Omit<components['schemas']['PolicyType'], 'schema'> & { schema: Spec };

/** They change only when the program does. */
export const policyTypesQuery = queryOptions({
  queryKey: ['policyTypes'],
  queryFn: async () => (await wanted(client.GET('/policyTypes'))).items as PolicyType[],
  staleTime: Number.POSITIVE_INFINITY,
});
