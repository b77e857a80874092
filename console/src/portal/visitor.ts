/** Who looks at the portal: somebody who is signed in, or anybody. */
import { createContext, useContext } from 'react';
import type { Session } from '../api/session';
import type { Look } from './api/portal';

export interface Visit {
  session: Session | null;
  look: Look;
}

export const VisitContext = createContext<Visit | null>(null);

export function useVisit(): Visit {
  const visit = useContext(VisitContext);
  if (visit === null) throw new Error('the portal is shown when it is known how it looks');
  return visit;
}

export function useLook(): Look {
  return useVisit().look;
}

export function useUser(): string | undefined {
  return useVisit().session?.user;
}
