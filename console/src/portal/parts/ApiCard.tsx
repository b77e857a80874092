/** APIs as the catalogue lists them. */
import { Badge, Box, Group, Text } from '@mantine/core';
import type { ApiSummary } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { apiPath, Link } from '../links';
import classes from './ApiCard.module.css';
import { LifeBadge } from './Life';
import { Stars } from './Stars';

export function ApiCards({ apis }: { apis: ApiSummary[] }) {
  return (
    <ul className={classes.grid}>
      {apis.map((api) => (
        <li key={api.id}>
          <ApiCard api={api} />
        </li>
      ))}
    </ul>
  );
}

export function Initial({ name }: { name: string }) {
  return (
    <span className={classes.icon} aria-hidden>
      {[...name][0]?.toUpperCase()}
    </span>
  );
}

function ApiCard({ api }: { api: ApiSummary }) {
  const { p } = usePortalTexts();
  return (
    <Link to={apiPath(api.name)} className={classes.card}>
      <Group gap="sm" wrap="nowrap">
        <Initial name={api.title} />
        <Box miw={0}>
          <Text fw={650} truncate>
            {api.title}
          </Text>
          <Text size="sm" c="dimmed">
            {p('api.version', { version: api.version })}
          </Text>
        </Box>
      </Group>
      <Text size="sm" c="dimmed" className={classes.about ?? ''}>
        {api.summary ?? p('api.noSummary')}
      </Text>
      <Group justify="space-between" gap="xs">
        <Stars rating={api.rating} />
        <Group gap={6}>
          <LifeBadge api={api} />
          {api.visibility === 'restricted' && (
            <Badge variant="light" color="orange" tt="none">
              {p('api.restricted')}
            </Badge>
          )}
          {api.categories.slice(0, 2).map((category) => (
            <Badge key={category} variant="light" color="gray" tt="none">
              {category}
            </Badge>
          ))}
        </Group>
      </Group>
    </Link>
  );
}
