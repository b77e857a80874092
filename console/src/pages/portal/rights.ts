/** Who administers which part of the portal. */
import { useMay } from '../../session/session';

export function usePortalRights(): { approvals: boolean; plans: boolean; look: boolean; any: boolean } {
  const users = useMay('Manage user administration');
  const plans = useMay('Manage packages and plans');
  const look = useMay('Publish to Developer Portal');
  return { approvals: users || plans, plans, look, any: users || plans || look };
}
