/** The first thing to know about an API: how it is called, where it leads, what just happened. */
import { Anchor, Badge, Box, Code, Group, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Asset } from '../../api/assets';
import { useTexts } from '../../i18n';
import { LiveRequests } from '../requests/LiveRequests';
import { useMaySeeRequests } from '../requests/rights';
import { ApiIcon } from './ApiIcon';
import { CallIt } from './CallIt';
import classes from './Overview.module.css';
import { apiSpec } from './spec';
import { useApiTexts } from './texts';

export function Overview({ api }: { api: Asset }) {
  const { t, time } = useTexts();
  const { p } = useApiTexts();
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
          <ApiIcon api={api} />
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
          {spec.groups.length > 0 && <Fact label={p('groups')}>{spec.groups.join(', ')}</Fact>}
          {spec.maturity !== undefined && <Fact label={p('maturity')}>{spec.maturity}</Fact>}
          {spec.owner !== undefined && <Fact label={p('owner')}>{spec.owner}</Fact>}
          {Object.entries(spec.attributes).map(([name, value]) => (
            <Fact key={name} label={name}>
              <Text style={{ overflowWrap: 'anywhere' }}>{value}</Text>
            </Fact>
          ))}
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
