/** What requests add up to. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { BASE, client, wanted } from './client';
import type { components } from './schema';

export type Report = components['schemas']['AnalyticsReport'];

export interface Asked {
  /** Hours before now. */
  hours: number;
  interval?: 'minute' | 'hour' | 'day';
  group?: 'api' | 'application';
  api?: string | undefined;
  application?: string | undefined;
}

function written({ hours, interval, group, api, application }: Asked) {
  const to = Date.now();
  return {
    from: to - hours * 3_600_000,
    to,
    ...(interval === undefined ? {} : { interval }),
    ...(group === undefined ? {} : { group }),
    ...(api === undefined ? {} : { api }),
    ...(application === undefined ? {} : { application }),
  };
}

export function analyticsQuery(asked: Asked) {
  return queryOptions({
    queryKey: ['analytics', asked],
    queryFn: async () =>
      (await wanted(client.GET('/analytics', { params: { query: written(asked) } }))) as Report,
    refetchInterval: 60_000,
    placeholderData: keepPreviousData,
  });
}

/** Where the same is had as a table for other programs. */
export function csvAddress(asked: Asked): string {
  const query = new URLSearchParams({ format: 'csv', limit: '50000' });
  for (const [name, value] of Object.entries(written(asked))) query.set(name, String(value));
  return `${BASE}/analytics?${query}`;
}
