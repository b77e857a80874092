/** Sends those for whom only the developer portal is there to it: of the console they would see refusals only. */
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import { client, wanted } from '../api/client';
import { useSession } from './session';

const PORTAL = '/portal/';

export function ConsumersElsewhere({ children }: { children: ReactNode }) {
  const { privileges } = useSession();
  const mayBe = privileges.length === 0;
  const look = useQuery({
    queryKey: ['portal', 'look'],
    queryFn: () => wanted(client.GET('/portal')),
    enabled: mayBe,
  });
  const isConsumer = look.data?.portalOnly === true;
  useEffect(() => {
    if (isConsumer) window.location.replace(PORTAL);
  }, [isConsumer]);
  return mayBe && (look.isPending || isConsumer) ? null : children;
}
