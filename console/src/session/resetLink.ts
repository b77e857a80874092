/** The link for a new password that somebody has come by. */
import { useEffect, useState } from 'react';

/** Takes the token out of the address, so that it stays in no history and on no screen. */
function take(): string | null {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('reset');
  if (token !== null) {
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
  }
  return token;
}

const taken = take();

/** The token, until somebody is through with it. */
export function useResetLink(): [token: string | null, leave: () => void] {
  const [token, setToken] = useState(taken);
  useEffect(() => {
    // Where the page is open already, a link to it does not load it again.
    const look = () => {
      const found = take();
      if (found !== null) setToken(found);
    };
    window.addEventListener('hashchange', look);
    return () => window.removeEventListener('hashchange', look);
  }, []);
  return [token, () => setToken(null)];
}
