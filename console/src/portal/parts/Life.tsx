/** Where an API is in its life, when that is not simply published. */
import { Alert, Badge } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ApiSummary } from '../api/portal';
import { usePortalTexts } from '../i18n';

const COLOURS = { preReleased: 'blue', blocked: 'red', deprecated: 'orange' } as const;

function lifeOf({ state }: ApiSummary): keyof typeof COLOURS | undefined {
  return state in COLOURS ? (state as keyof typeof COLOURS) : undefined;
}

/** Whether somebody can still subscribe to it. */
export function takesSubscriptions(api: ApiSummary): boolean {
  return api.state !== 'blocked' && api.state !== 'deprecated';
}

export function LifeBadge({ api }: { api: ApiSummary }) {
  const { p } = usePortalTexts();
  const life = lifeOf(api);
  if (life === undefined) return null;
  return (
    <Badge variant="light" color={COLOURS[life]} tt="none">
      {p(`life.${life}`)}
    </Badge>
  );
}

export function LifeNote({ api }: { api: ApiSummary }) {
  const { p, day } = usePortalTexts();
  const life = lifeOf(api);
  if (life === undefined || life === 'preReleased') return null;
  return (
    <Alert
      mb="lg"
      variant="light"
      color={COLOURS[life]}
      icon={<IconAlertTriangle size={18} />}
      title={p(`life.${life}`)}
    >
      {p(`life.${life}Text`)} {api.retireAt != null && p('life.retires', { day: day(api.retireAt) })}
    </Alert>
  );
}
