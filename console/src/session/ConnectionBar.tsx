/** Says that the gateway cannot be reached, for as long as that is so, and asks again by itself. */
import { Group, Loader, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { BASE } from '../api/client';
import { setConnection, useConnection } from '../api/connection';
import { useTexts } from '../i18n';
import classes from './ConnectionBar.module.css';

const EVERY = 2_000;

export function ConnectionBar() {
  const { t } = useTexts();
  const { online } = useConnection();
  const queries = useQueryClient();
  useEffect(() => {
    if (online) return;
    const timer = window.setInterval(() => {
      fetch(`${BASE}/session`, { headers: { 'X-Requested-With': 'console' } }).then(
        () => {
          setConnection({ online: true });
          void queries.invalidateQueries();
        },
        () => {},
      );
    }, EVERY);
    return () => window.clearInterval(timer);
  }, [online, queries]);
  if (online) return null;
  return (
    <Group className={classes.bar ?? ''} gap="xs" justify="center" role="alert" wrap="nowrap">
      <Loader size={14} color="currentColor" />
      <Text size="sm" fw={600}>
        {t('disconnected')}
      </Text>
    </Group>
  );
}
