import { MAY, useMay } from '../../session/session';

/** Settings are shown to who looks after the system, and to who may look at all of the administration. */
export function useMaySeeSettings(): boolean {
  const mayChange = useMay('Manage system settings');
  const mayLook = useMay(MAY.administration);
  return mayChange || mayLook;
}
