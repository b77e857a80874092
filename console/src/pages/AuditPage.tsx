/** Who did what. */
import { Alert, Badge, Box, Button, Group, Select, Skeleton, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconFileSearch, IconShieldCheck } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { getRouteApi, Navigate } from '@tanstack/react-router';
import { useState } from 'react';
import { auditQuery, verifyAudit } from '../api/audit';
import { useTexts } from '../i18n';
import { Empty } from '../parts/Empty';
import { useKinds } from '../parts/kinds';
import { PageHeader } from '../parts/PageHeader';
import { ProblemBox } from '../parts/ProblemBox';
import { MAY, useMay } from '../session/session';

const route = getRouteApi('/audit');
const EVENTS = ['Configuration', 'Access management'];

export function AuditPage() {
  const { t, time, number } = useTexts();
  const may = useMay(MAY.administration);
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const kinds = useKinds();
  const [user, setUser] = useState(search.user ?? '');
  const log = useInfiniteQuery(
    auditQuery({ user: search.user ?? '', objectType: search.object ?? '', eventType: search.event ?? '' }),
  );
  const verify = useMutation({ mutationFn: verifyAudit });
  const change = (to: Partial<typeof search>) =>
    navigate({ search: (before) => ({ ...before, ...to }), replace: true });
  const narrow = useDebouncedCallback((value: string) => void change({ user: value || undefined }), 300);
  const records = log.data?.pages.flat() ?? [];
  if (!may) return <Navigate to="/apis" />;
  return (
    <>
      <PageHeader title={t('nav.audit')} about={t('audit.about')}>
        <Button
          variant="default"
          leftSection={<IconShieldCheck size={16} />}
          onClick={() => verify.mutate()}
          loading={verify.isPending}
        >
          {t('audit.verify')}
        </Button>
      </PageHeader>
      {verify.isError && <ProblemBox error={verify.error} />}
      {verify.data !== undefined && (
        <Alert mb="md" color={verify.data.intact ? 'teal' : 'red'} variant="light" role="status">
          {verify.data.intact
            ? t('audit.intact', { count: number(verify.data.records ?? 0) })
            : t('audit.tampered', { id: verify.data.id ?? '', problem: verify.data.problem ?? '' })}
        </Alert>
      )}
      <Group mb="sm" gap="sm">
        <TextInput
          aria-label={t('audit.user')}
          placeholder={t('audit.user')}
          value={user}
          onChange={(event) => {
            setUser(event.currentTarget.value);
            narrow(event.currentTarget.value);
          }}
          w={200}
        />
        <Select
          aria-label={t('audit.object')}
          placeholder={t('audit.object')}
          data={[...kinds.map(({ kind }) => kind), 'token', 'session', 'oauthToken', 'initialToken']}
          value={search.object ?? null}
          onChange={(value) => change({ object: value ?? undefined })}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={180}
        />
        <Select
          aria-label={t('audit.event')}
          placeholder={t('audit.event')}
          data={EVENTS}
          value={search.event ?? null}
          onChange={(value) => change({ event: value ?? undefined })}
          clearable
          clearButtonProps={{ 'aria-label': t('clear') }}
          w={200}
        />
      </Group>
      {log.isPending && <Skeleton height={320} />}
      {log.isError && <ProblemBox error={log.error} retry={() => log.refetch()} />}
      {log.isSuccess && records.length === 0 && (
        <Box className="gw-panel">
          <Empty icon={IconFileSearch} title={t('audit.none')} text={t('audit.noneText')} />
        </Box>
      )}
      {records.length > 0 && (
        <Table.ScrollContainer
          minWidth={760}
          className="gw-panel"
          scrollAreaProps={{ viewportProps: { tabIndex: 0, role: 'region', 'aria-label': t('nav.audit') } }}
        >
          <Table verticalSpacing="sm" horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('audit.at')}</Table.Th>
                <Table.Th>{t('audit.user')}</Table.Th>
                <Table.Th>{t('audit.action')}</Table.Th>
                <Table.Th>{t('audit.what')}</Table.Th>
                <Table.Th>{t('audit.from')}</Table.Th>
                <Table.Th>{t('revision')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {records.map((record) => (
                <Table.Tr key={record.id}>
                  <Table.Td>
                    <Text size="sm">{time(record.creationDate)}</Text>
                  </Table.Td>
                  <Table.Td>{record.user}</Table.Td>
                  <Table.Td>
                    <Badge variant="light" color="gray" tt="none">
                      {record.action}
                    </Badge>
                  </Table.Td>
                  <Table.Td>{record.message}</Table.Td>
                  <Table.Td>
                    <span className="gw-mono">{record.clientIPAddress}</span>
                  </Table.Td>
                  <Table.Td>{record.revision ?? '–'}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {log.hasNextPage && (
        <Group justify="center" mt="md">
          <Button variant="default" onClick={() => log.fetchNextPage()} loading={log.isFetchingNextPage}>
            {t('requests.older')}
          </Button>
        </Group>
      )}
    </>
  );
}
