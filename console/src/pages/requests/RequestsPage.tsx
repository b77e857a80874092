/** Requests as they end, narrowed down as one likes. */
import { Badge, Box, Button, Group, Select, Skeleton, Stack, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconActivity, IconPlayerPause, IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { namesQuery } from '../../api/assets';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { filterOf } from './filters';
import { RequestRow } from './RequestRow';
import { useMaySeeRequests } from './rights';
import { type Live, useRequests } from './useRequests';

const route = getRouteApi('/requests');
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

export function RequestsPage() {
  const { t } = useTexts();
  const may = useMaySeeRequests();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [paused, setPaused] = useState(false);
  const [words, setWords] = useState(search.q ?? '');
  const names = useQuery(namesQuery('apis'));
  const applications = useQuery(namesQuery('applications'));
  const filter = useMemo(() => filterOf(search, Date.now()), [search]);
  const requests = useRequests(filter, paused);
  const change = (to: Partial<typeof search>) =>
    navigate({ search: (before) => ({ ...before, ...to }), replace: true });
  const narrow = useDebouncedCallback((value: string) => void change({ q: value || undefined }), 300);
  const clear = () => {
    setWords('');
    void navigate({ search: {}, replace: true });
  };
  if (!may) return <Navigate to="/apis" />;
  const titles = [...new Set((names.data ?? []).map((name) => name.slice(0, name.lastIndexOf(':'))))];
  const filtered = Object.values(search).some((value) => value !== undefined);
  return (
    <>
      <PageHeader
        title={t('nav.requests')}
        badge={<LiveBadge live={requests.live} />}
        about={t('requests.about')}
      >
        <Button variant="default" renderRoot={(props) => <Link to="/requests/ask" {...props} />}>
          {t('ask.open')}
        </Button>
        <Button
          variant="default"
          leftSection={paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
          onClick={() => setPaused(!paused)}
        >
          {t(paused ? 'requests.resume' : 'requests.pause')}
        </Button>
      </PageHeader>
      <Group mb="sm" gap="sm">
        <Select
          aria-label={t('requests.api')}
          placeholder={t('requests.api')}
          data={titles}
          value={search.api ?? null}
          onChange={(api) => change({ api: api ?? undefined })}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={170}
        />
        <Select
          aria-label={t('requests.code')}
          placeholder={t('requests.code')}
          data={['2xx', '3xx', '4xx', '5xx', '401', '403', '404', '429', '500', '502', '503', '504']}
          value={search.code ?? null}
          onChange={(code) => change({ code: code ?? undefined })}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={130}
        />
        <Select
          aria-label={t('requests.method')}
          placeholder={t('requests.method')}
          data={METHODS}
          value={search.method ?? null}
          onChange={(method) => change({ method: method ?? undefined })}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={130}
        />
        <Select
          aria-label={t('requests.application')}
          placeholder={t('requests.application')}
          data={applications.data ?? []}
          value={search.application ?? null}
          onChange={(application) => change({ application: application ?? undefined })}
          clearable
          searchable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={170}
        />
        <Select
          aria-label={t('requests.since')}
          placeholder={t('requests.since')}
          data={[
            { value: '15', label: t('requests.since.quarter') },
            { value: '60', label: t('requests.since.hour') },
            { value: '1440', label: t('requests.since.day') },
            { value: '10080', label: t('requests.since.week') },
          ]}
          value={search.since ?? null}
          onChange={(since) => change({ since: since ?? undefined })}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={160}
        />
        <TextInput
          aria-label={t('requests.words')}
          placeholder={t('requests.words')}
          leftSection={<IconSearch size={16} />}
          value={words}
          onChange={(event) => {
            setWords(event.currentTarget.value);
            narrow(event.currentTarget.value);
          }}
          flex="1 1 260px"
          type="search"
          data-search
        />
        {filtered && (
          <Button variant="subtle" onClick={clear}>
            {t('requests.clear')}
          </Button>
        )}
      </Group>
      {requests.isError && requests.events.length === 0 ? (
        <ProblemBox error={requests.error} retry={() => requests.refetch()} />
      ) : requests.isPending ? (
        <Skeleton height={320} />
      ) : (
        <Box className="gw-panel" style={{ overflow: 'hidden' }}>
          {requests.events.length === 0 ? (
            <Empty
              icon={IconActivity}
              title={t(filtered ? 'requests.none.filtered' : 'requests.none.title')}
              text={t('requests.none.text')}
            />
          ) : (
            <Stack gap={0}>
              {requests.events.map((event) => (
                <RequestRow key={event.correlationID} event={event} />
              ))}
            </Stack>
          )}
        </Box>
      )}
      {requests.hasNextPage && (
        <Group justify="center" mt="md">
          <Button
            variant="default"
            onClick={() => requests.fetchNextPage()}
            loading={requests.isFetchingNextPage}
          >
            {t('requests.older')}
          </Button>
        </Group>
      )}
    </>
  );
}

function LiveBadge({ live }: { live: Live }) {
  const { t } = useTexts();
  const colour = { live: 'green', connecting: 'orange', paused: 'gray' }[live];
  const text = {
    live: 'requests.live',
    connecting: 'requests.connecting',
    paused: 'requests.paused',
  } as const;
  return (
    <Badge variant="dot" color={colour} tt="none" role="status">
      {t(text[live])}
    </Badge>
  );
}
