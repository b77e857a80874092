import { useQueryClient } from '@tanstack/react-query';
import { logOut, sessionQuery } from '../api/session';

/** Ends the session, and forgets what was seen in it. */
export function useLogOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    try {
      await logOut();
    } finally {
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, null);
    }
  };
}
