/** The frame of pages before the console: login, first password. */
import { Box, Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Mark } from '../app/Mark';
import { Preferences } from '../app/Preferences';
import { useTexts } from '../i18n';
import classes from './Welcome.module.css';

export function Welcome({ title, children }: { title: string; children: ReactNode }) {
  const { t } = useTexts();
  return (
    <Box className={classes.page ?? ''}>
      <Box component="main" className={classes.card ?? ''}>
        <Group gap="sm" mb="xl" justify="center">
          <Mark size={36} />
          <Text fz={22} fw={700}>
            Gatewright
          </Text>
        </Group>
        <Paper className="gw-panel" p="xl" shadow="sm">
          <Title order={1} mb="lg">
            {title}
          </Title>
          {children}
        </Paper>
        <Stack align="center" mt="lg" gap="xs">
          <Preferences />
          <Text size="xs" c="dimmed">
            {t('welcome.claim')}
          </Text>
        </Stack>
      </Box>
    </Box>
  );
}
