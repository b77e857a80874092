/** What every page has to know about the way to the server: whether it is open, and whether the session lives. */
import { useSyncExternalStore } from 'react';

export interface Connection {
  readonly online: boolean;
  /** The session ended while somebody was working: they log in again and go on where they were. */
  readonly expired: boolean;
}

let current: Connection = { online: true, expired: false };
const listeners = new Set<() => void>();

export function setConnection(change: Partial<Connection>): void {
  const next = { ...current, ...change };
  if (next.online === current.online && next.expired === current.expired) return;
  current = next;
  for (const listener of listeners) listener();
}

/** When the server can be reached again. */
export function whenOnline(): Promise<void> {
  return new Promise((resolve) => {
    const stop = subscribe(() => {
      if (!current.online) return;
      stop();
      resolve();
    });
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useConnection(): Connection {
  return useSyncExternalStore(subscribe, () => current);
}
