/** What has become of a token. */
import type { OauthToken } from '../../api/oauthTokens';

export type TokenState = 'live' | 'used' | 'expired' | 'revoked';

export function stateOf({ revokedAt, usedAt, expiresAt }: OauthToken, now: number): TokenState {
  if (revokedAt != null) return 'revoked';
  if (usedAt != null) return 'used';
  return expiresAt != null && new Date(expiresAt).getTime() <= now ? 'expired' : 'live';
}
