import { MAY, useMay } from '../../session/session';

/** Requests tell who uses which API, and from where. */
export function useMaySeeRequests(): boolean {
  const apis = useMay(MAY.apis);
  const administration = useMay(MAY.administration);
  return apis || administration;
}
