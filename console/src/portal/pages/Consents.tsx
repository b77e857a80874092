/** What one has allowed other programs, and taking it back. */
import { Box, Button, Group, Modal, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { type Consent, consentsQuery, takeBack } from '../api/portal';
import { usePortalTexts } from '../i18n';
import rows from './application/rows.module.css';

export function Consents() {
  const { p } = usePortalTexts();
  const consents = useInfiniteQuery(consentsQuery);
  const [chosen, choose] = useState<Consent>();
  const all = consents.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Paper className="gw-panel" p="xl">
      <Title order={2} mb="xs">
        {p('consents.title')}
      </Title>
      <Text c="dimmed" mb="md">
        {p(all.length > 0 || consents.isPending ? 'consents.about' : 'consents.none')}
      </Text>
      {consents.isPending && <Skeleton height={60} />}
      {consents.isError && <ProblemBox error={consents.error} retry={() => consents.refetch()} />}
      <Stack component="ul" gap={0} m={0} p={0} style={{ listStyle: 'none' }}>
        {all.map((consent) => (
          <Row key={consent.client} consent={consent} onEnd={() => choose(consent)} />
        ))}
      </Stack>
      {consents.hasNextPage && (
        <Button
          variant="default"
          loading={consents.isFetchingNextPage}
          onClick={() => consents.fetchNextPage()}
        >
          {p('consents.more')}
        </Button>
      )}
      {chosen !== undefined && <TakeBack consent={chosen} onClose={() => choose(undefined)} />}
    </Paper>
  );
}

function Row({ consent, onEnd }: { consent: Consent; onEnd: () => void }) {
  const { p, ago } = usePortalTexts();
  const { name, scopes, grantedAt } = consent;
  return (
    <li className={rows.row}>
      <Box className={rows.grow ?? ''}>
        <Text fw={620}>{name}</Text>
        <Text size="sm" c="dimmed">
          {p('consents.since', { when: ago(grantedAt) })}
        </Text>
        {scopes.length > 0 && (
          <Text size="sm">{scopes.map(({ name: scope, meaning }) => meaning ?? scope).join(' · ')}</Text>
        )}
      </Box>
      <Button
        size="xs"
        variant="subtle"
        color="red"
        onClick={onEnd}
        aria-label={p('consents.takeBackOne', { name })}
      >
        {p('consents.takeBack')}
      </Button>
    </li>
  );
}

function TakeBack({ consent, onClose }: { consent: Consent; onClose: () => void }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const toast = useToast();
  const queries = useQueryClient();
  const { client, name } = consent;
  const end = useMutation({
    mutationFn: () => takeBack(client),
    onSuccess: async () => {
      toast(p('consents.done', { name }));
      onClose();
      await queries.invalidateQueries({ queryKey: consentsQuery.queryKey });
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={p('consents.takeBackOne', { name })}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        <Text>{p('consents.consequence', { name })}</Text>
        {end.isError && <ProblemBox error={end.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('close')}
          </Button>
          <Button color="red" loading={end.isPending} onClick={() => end.mutate()}>
            {p('consents.takeBack')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
