/** How the node that answers is. */
import { Alert, Badge, Box, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconDatabaseOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type AuthorizationServerStatus, type Status, statusQuery } from '../api/gateway';
import { useTexts } from '../i18n';
import { PageHeader } from '../parts/PageHeader';
import { ProblemBox } from '../parts/ProblemBox';
import { Warnings } from '../parts/Warnings';
import { Nodes } from './Nodes';
import classes from './StatusPage.module.css';

export function StatusPage() {
  const { t } = useTexts();
  const status = useQuery(statusQuery);
  return (
    <>
      <PageHeader title={t('nav.status')} about={t('status.about')} />
      {status.isPending && <Skeleton height={320} />}
      {status.isError && <ProblemBox error={status.error} retry={() => status.refetch()} />}
      {status.data !== undefined && <Node status={status.data} />}
    </>
  );
}

function Node({ status }: { status: Status }) {
  const { t, number, ago, time } = useTexts();
  const { configuration } = status;
  const nodes = status.manager?.nodes ?? [];
  const newest = Math.max(
    status.manager?.revision ?? 0,
    ...nodes.map(({ revision, refused }) => Math.max(revision, refused ?? 0)),
  );
  const facts = [
    [t('status.version'), status.version],
    [t('revision'), number(configuration.revision)],
    [t('status.since'), ago(configuration.servedSince)],
    [t('nav.apis'), number(status.apis)],
    [t('status.requests'), number(status.requestsInProgress)],
    [t('status.connections'), number(status.connections)],
  ] as const;
  return (
    <Stack gap="lg">
      {configuration.failure !== null && (
        <Alert
          color="red"
          variant="light"
          icon={<IconAlertTriangle size={18} />}
          title={t('status.failed', { at: time(configuration.failure.at) })}
          role="alert"
        >
          {configuration.failure.problems.map(({ path, message }) => (
            <Text size="sm" key={`${path} ${message}`}>
              <span className="gw-mono">{path}</span> {message}
            </Text>
          ))}
        </Alert>
      )}
      {status.manager?.store.reachable === false && (
        <Alert
          color="red"
          variant="light"
          icon={<IconDatabaseOff size={18} />}
          title={t('status.storeAway')}
          role="alert"
        >
          {status.manager.store.problem}
        </Alert>
      )}
      <Warnings warnings={configuration.warnings} />
      <div className={classes.facts}>
        {facts.map(([label, value]) => (
          <Box key={label} className="gw-panel" p="md">
            <Text size="sm" c="dimmed">
              {label}
            </Text>
            <Text fz="lg" fw={650}>
              {value}
            </Text>
          </Box>
        ))}
      </div>
      {nodes.length > 0 && <Nodes nodes={nodes} newest={newest} />}
      <Box className="gw-panel" p="lg">
        <Title order={2} mb="sm">
          {t('status.listeners')}
        </Title>
        {status.listeners.length === 0 && <Text c="dimmed">{t('status.noListeners')}</Text>}
        <Stack gap="xs">
          {status.listeners.map(({ name, address, tls }) => (
            <Group key={name} gap="md">
              <Text fw={600}>{name}</Text>
              <span className="gw-mono">{address}</span>
              {tls && (
                <Badge variant="light" tt="none">
                  TLS
                </Badge>
              )}
            </Group>
          ))}
        </Stack>
      </Box>
      <Box className="gw-panel" p="lg">
        <Title order={2} mb="sm">
          {t('status.upstreams')}
        </Title>
        {status.upstreams.length === 0 && <Text c="dimmed">{t('status.noUpstreams')}</Text>}
        <Stack gap="md">
          {status.upstreams.map(({ name, endpoints }) => (
            <div key={name}>
              <Text fw={600}>{name}</Text>
              {endpoints.map(({ url, healthy, available, connections }) => (
                <Group key={url} gap="md">
                  <Badge variant="dot" color={healthy && available ? 'green' : 'red'} tt="none">
                    {t(healthy ? (available ? 'status.healthy' : 'status.suspended') : 'status.unhealthy')}
                  </Badge>
                  <span className="gw-mono">{url}</span>
                  <Text size="sm" c="dimmed">
                    {t('status.open', { count: number(connections) })}
                  </Text>
                </Group>
              ))}
            </div>
          ))}
        </Stack>
      </Box>
      {(status.authorizationServers ?? []).length > 0 && (
        <AuthorizationServers servers={status.authorizationServers ?? []} />
      )}
    </Stack>
  );
}

function AuthorizationServers({ servers }: { servers: AuthorizationServerStatus[] }) {
  const { t, count, ago } = useTexts();
  return (
    <Box className="gw-panel" p="lg">
      <Title order={2} mb="sm">
        {t('status.authorizationServers')}
      </Title>
      <Stack gap="md">
        {servers.map(({ name, issuer, keys, keysFetched, keysAgeSeconds, failing, problem }) => (
          <div key={name}>
            <Group gap="md">
              <Badge variant="dot" color={failing ? 'red' : 'green'} tt="none">
                {t(failing ? 'status.unhealthy' : 'status.healthy')}
              </Badge>
              <Text fw={600}>{name}</Text>
              {issuer !== null && <span className="gw-mono">{issuer}</span>}
              <Text size="sm" c="dimmed">
                {count('status.keys', keys)}
                {keysFetched &&
                  keysAgeSeconds !== null &&
                  `, ${t('status.fetched', { when: ago(Date.now() - keysAgeSeconds * 1000) })}`}
              </Text>
            </Group>
            {problem !== null && (
              <Text size="sm" className="gw-bad">
                {problem}
              </Text>
            )}
          </div>
        ))}
      </Stack>
    </Box>
  );
}
