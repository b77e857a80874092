/** Whether a subscription may be used. */
import { Badge } from '@mantine/core';
import type { Subscription } from '../api/portal';
import { usePortalTexts } from '../i18n';

const COLOURS = { active: 'green', pending: 'yellow', blocked: 'red', rejected: 'red' };

export function SubscriptionState({ subscription }: { subscription: Subscription }) {
  const { p } = usePortalTexts();
  return (
    <Badge variant="light" color={COLOURS[subscription.state]} tt="none">
      {p(`state.${subscription.state}`)}
    </Badge>
  );
}
