/** Who administers which part of the portal. */
import { useMay, useSession } from '../../session/session';

export function usePortalRights(): { approvals: boolean; plans: boolean; look: boolean; any: boolean } {
  const users = useMay('Manage user administration');
  const plans = useMay('Manage packages and plans');
  const look = useMay('Publish to Developer Portal');
  // Approvers of teams decide without a privilege.
  const approver = useSession().approvesFor.length > 0;
  const approvals = users || plans || approver;
  return { approvals, plans, look, any: approvals || look };
}
