/** Whether an application may call an API by a subscription, as a word. */
import { Badge } from '@mantine/core';
import type { components } from '../../api/schema';
import { usePortalAdminTexts } from './texts';

export type State = components['schemas']['SubscriptionState'];

const COLOURS: Record<State, string> = {
  active: 'green',
  pending: 'yellow',
  blocked: 'red',
  rejected: 'gray',
};

/** What a document says that may say nothing. */
export function subscriptionState(said: unknown): State {
  return (Object.keys(COLOURS) as State[]).find((state) => state === said) ?? 'active';
}

export function SubscriptionState({ state }: { state: State }) {
  const { p } = usePortalAdminTexts();
  return (
    <Badge variant="light" color={COLOURS[state]} tt="none">
      {p(`state.${state}`)}
    </Badge>
  );
}
