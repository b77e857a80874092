/** The first thing to know about an API: how it is called, where it leads, what just happened. */
import { Anchor, Badge, Box, Button, Code, Group, Select, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { Asset } from '../../api/assets';
import { statusQuery } from '../../api/gateway';
import { useTexts } from '../../i18n';
import { CommandLine } from '../../parts/CommandLine';
import { LiveRequests } from '../requests/LiveRequests';
import { useMaySeeRequests } from '../requests/rights';
import { curlLine, gatewayOrigin } from './address';
import classes from './Overview.module.css';
import { easiest, filledIn } from './operations';
import { apiSpec } from './spec';
import { useOperations } from './useOperations';

export function Overview({ api }: { api: Asset }) {
  const { t, time } = useTexts();
  const spec = apiSpec(api);
  const maySee = useMaySeeRequests();
  return (
    <div className={classes.columns}>
      <Stack gap="lg" miw={0}>
        {spec.inactive ? (
          <Box className="gw-panel" p="lg">
            <Text>{t('api.inactiveText')}</Text>
          </Box>
        ) : (
          <CallIt api={api} />
        )}
        {maySee && (
          <Box className="gw-panel" p="lg">
            <Group justify="space-between" mb="sm">
              <Title order={2}>{t('api.requests')}</Title>
              <Anchor
                size="sm"
                renderRoot={(props) => <Link to="/requests" search={{ api: spec.title }} {...props} />}
              >
                {t('api.allRequests')}
              </Anchor>
            </Group>
            <LiveRequests filter={{ api: spec.title }} most={8} waiting={t('api.waiting')} />
          </Box>
        )}
      </Stack>
      <Box className="gw-panel" p="lg">
        <Title order={2} mb="md">
          {t('api.facts')}
        </Title>
        <Stack gap="md">
          <Fact label={t('api.basePath')}>
            <Code>{spec.basePath}</Code>
          </Fact>
          {spec.hosts.length > 0 && <Fact label={t('api.hosts')}>{spec.hosts.join(', ')}</Fact>}
          <Fact label={t('api.upstream')}>
            <UpstreamLink upstream={spec.upstream} />
          </Fact>
          {spec.tags.length > 0 && (
            <Fact label={t('api.tags')}>
              <Group gap={6}>
                {spec.tags.map((tag) => (
                  <Badge
                    key={tag}
                    variant="light"
                    color="gray"
                    tt="none"
                    renderRoot={(props) => <Link to="/apis" search={{ tag }} {...props} />}
                    style={{ cursor: 'pointer' }}
                  >
                    {tag}
                  </Badge>
                ))}
              </Group>
            </Fact>
          )}
          <Fact label={t('changed')}>{time(api.changedAt)}</Fact>
          <Fact label={t('created')}>{time(api.createdAt)}</Fact>
          <Fact label={t('revision')}>{api.revision}</Fact>
        </Stack>
      </Box>
    </div>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text component="div">{children}</Text>
    </div>
  );
}

function UpstreamLink({ upstream }: { upstream: string | undefined }) {
  const { t } = useTexts();
  if (upstream === undefined) return <Text c="dimmed">{t('api.upstreamDefault')}</Text>;
  if (/^https?:/.test(upstream)) return <Code>{upstream}</Code>;
  return (
    <Anchor
      renderRoot={(props) => (
        <Link to="/assets/$list/of/$name" params={{ list: 'upstreams', name: upstream }} {...props} />
      )}
    >
      {upstream}
    </Anchor>
  );
}

function CallIt({ api }: { api: Asset }) {
  const { t } = useTexts();
  const spec = apiSpec(api);
  const status = useQuery(statusQuery);
  const { operations } = useOperations(api);
  const [chosen, setChosen] = useState<string | null>(null);
  const origin = gatewayOrigin(status.data?.listeners ?? [], window.location);
  const keys = operations.map(({ method, path }) => `${method} ${path}`);
  const first = easiest(operations);
  const current = chosen ?? (first === undefined ? 'GET /' : `${first.method} ${first.path}`);
  const [method = 'GET', path = '/'] = current.split(' ');
  return (
    <Box className="gw-panel" p="lg">
      <Group justify="space-between" mb="sm">
        <Title order={2}>{t('api.call')}</Title>
        {keys.length > 1 && (
          <Select
            size="xs"
            aria-label={t('api.callOperation')}
            data={[...new Set(keys)]}
            value={current}
            onChange={setChosen}
            allowDeselect={false}
            searchable
            w={260}
          />
        )}
      </Group>
      {origin === undefined ? (
        <Text c="dimmed">{t(status.isPending ? 'loading' : 'api.noListener')}</Text>
      ) : (
        <Stack gap="sm">
          <CommandLine text={curlLine(origin, spec, method, filledIn(path))} label={t('api.call')} />
          <Group justify="space-between">
            <Text size="sm" c="dimmed" flex="1 1 240px">
              {t('api.callHelp')}
            </Text>
            <Button
              size="xs"
              variant="light"
              renderRoot={(props) => (
                <Link
                  to="/requests/ask"
                  search={{ method, url: spec.basePath + filledIn(path) }}
                  {...props}
                />
              )}
            >
              {t('ask.open')}
            </Button>
          </Group>
        </Stack>
      )}
    </Box>
  );
}
