/** How console and portal ask the admin API. */
import { QueryClient } from '@tanstack/react-query';
import { worthAnotherTry } from '../api/client';

export const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: worthAnotherTry, staleTime: 5_000, networkMode: 'always' },
    mutations: { networkMode: 'always' },
  },
});
