/** Who is logged in, for every page. */
import { createContext, useContext } from 'react';
import type { Session } from '../api/session';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('pages are shown to who is logged in only');
  return session;
}

/** Whether the server would let them; it asks again anyway. */
export function useMay(privilege: string | undefined): boolean {
  const { privileges } = useSession();
  return privilege === undefined || privileges.includes(privilege);
}

export const MAY = {
  apis: 'Manage APIs',
  users: 'Manage user administration',
  administration: 'View administration configurations',
} as const;
