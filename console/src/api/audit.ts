/** The audit log. */
import { infiniteQueryOptions } from '@tanstack/react-query';
import { client, wanted } from './client';
import type { components } from './schema';

export type AuditRecord = components['schemas']['AuditView'];
export type AuditCheck = components['schemas']['Verified'];

export interface AuditWanted {
  user: string;
  objectType: string;
  eventType: string;
}

const PAGE = 100;

export function auditQuery({ user, objectType, eventType }: AuditWanted) {
  return infiniteQueryOptions({
    queryKey: ['audit', user, objectType, eventType],
    queryFn: async ({ pageParam }) => {
      const query = {
        limit: PAGE,
        ...(user ? { user } : {}),
        ...(objectType ? { objectType } : {}),
        ...(eventType ? { eventType } : {}),
        ...(pageParam > 0 ? { before: pageParam } : {}),
      };
      return (await wanted(client.GET('/audit', { params: { query } }))).items;
    },
    initialPageParam: 0,
    getNextPageParam: (page) => (page.length < PAGE ? undefined : page.at(-1)?.id),
  });
}

export function verifyAudit(): Promise<AuditCheck> {
  return wanted(client.POST('/audit/verify'));
}
