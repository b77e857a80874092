import { useMay } from '../../session/session';

/** Tokens of the internal authorization server are looked after by whoever looks after security. */
export function useMaySeeTokens(): boolean {
  return useMay('Manage security configurations');
}
