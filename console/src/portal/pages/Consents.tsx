/** What one has allowed other programs, and taking it back. */
import { Box, Button, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Confirm } from '../../parts/Dialog';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { type Consent, consentsQuery, takeBack } from '../api/portal';
import { usePortalTexts } from '../i18n';
import rows from './application/rows.module.css';

export function Consents() {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const toast = useToast();
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
      {chosen !== undefined && (
        <Confirm
          title={p('consents.takeBackOne', { name: chosen.name })}
          action={p('consents.takeBack')}
          does={() => takeBack(chosen.client)}
          onDone={() => {
            toast(p('consents.done', { name: chosen.name }));
            return queries.invalidateQueries({ queryKey: consentsQuery.queryKey });
          }}
          onClose={() => choose(undefined)}
        >
          <Text>{p('consents.consequence', { name: chosen.name })}</Text>
        </Confirm>
      )}
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
