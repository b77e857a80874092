import { useQueryClient } from '@tanstack/react-query';
import { logOut, sessionQuery } from '../api/session';

/** Ends the session, and forgets what was seen in it. */
export function useLogOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    try {
      await logOut();
    } finally {
      // The session is kept to be told that it is over: who listens to a query that is removed hears nothing more.
      queries.removeQueries({ predicate: (query) => query.queryKey.join() !== sessionQuery.queryKey.join() });
      queries.setQueryData(sessionQuery.queryKey, null);
    }
  };
}
