/** Everything decided about a request, in the order in which it was: from its arrival to the answer. */
import { Anchor, Badge, Box, Code, Group, List, Text, ThemeIcon, Timeline, Title } from '@mantine/core';
import {
  IconArrowsSplit,
  IconBan,
  IconCheck,
  IconCornerDownRight,
  IconFlag,
  type IconProps,
  IconRoute,
  IconShieldCheck,
  IconWorldUpload,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ComponentType, ReactNode } from 'react';
import type { ExplainedAttempt, ExplainedCall, ExplainedPolicy, Explanation } from '../../api/gateway';
import { useTexts } from '../../i18n';
import classes from './Decisions.module.css';
import { StatusCode } from './RequestRow';

export function Decisions({ of: request, title }: { of: Explanation; title: string | undefined }) {
  const { t } = useTexts();
  return (
    <section aria-label={title ?? t('explain.title')}>
      {title !== undefined && (
        <Title order={2} mb="sm">
          {title}
        </Title>
      )}
      <Summary request={request} />
      <Box className="gw-panel" p="lg" mt="md">
        <Timeline bulletSize={28} lineWidth={2}>
          <Timeline.Item bullet={<Bullet icon={IconCornerDownRight} />} title={t('explain.arrived')}>
            <Text size="sm">
              <span className="gw-mono">
                {request.method} {request.path}
                {request.query ? `?${request.query}` : ''}
              </span>{' '}
              {t('explain.from', { client: request.client })}
            </Text>
            {request.resolvedPath && (
              <Text size="sm">
                {t('explain.alias')} <Code>{request.resolvedPath}</Code>
              </Text>
            )}
          </Timeline.Item>
          <Timeline.Item
            bullet={
              <Bullet
                icon={request.api === undefined ? IconBan : IconRoute}
                bad={request.api === undefined}
              />
            }
            title={t('explain.route')}
          >
            <Route request={request} />
          </Timeline.Item>
          {request.policies.map((policy) => (
            <Timeline.Item
              key={`${policy.stage} ${policy.type} ${policy.name} ${policy.micros}`}
              bullet={<Bullet icon={isRefusal(policy) ? IconBan : IconShieldCheck} bad={isRefusal(policy)} />}
              title={<PolicyTitle policy={policy} />}
            >
              <PolicyText policy={policy} />
            </Timeline.Item>
          ))}
          {(request.calls ?? []).map((call) => (
            <Timeline.Item
              key={`${call.name} ${call.afterMillis}`}
              bullet={<Bullet icon={IconWorldUpload} bad={call.failure !== undefined} />}
              title={t('explain.call', { name: call.name })}
            >
              <Came of={call} />
            </Timeline.Item>
          ))}
          {request.attempts.map((attempt) => (
            <Timeline.Item
              key={`${attempt.endpoint} ${attempt.afterMillis}`}
              bullet={<Bullet icon={IconArrowsSplit} bad={attempt.failure !== undefined} />}
              title={<span className="gw-mono">{attempt.endpoint}</span>}
            >
              <Came of={attempt} connection={attempt.connection} />
            </Timeline.Item>
          ))}
          <Timeline.Item
            bullet={
              <Bullet
                icon={request.reason === undefined ? IconCheck : IconFlag}
                bad={request.reason !== undefined}
              />
            }
            title={
              <Group gap="xs">
                {t('explain.answer')}
                {request.dryRun && request.reason === undefined ? null : (
                  <StatusCode status={request.status} />
                )}
              </Group>
            }
          >
            <Result request={request} />
          </Timeline.Item>
        </Timeline>
      </Box>
      <Inert request={request} />
      <Messages request={request} />
    </section>
  );
}

function isRefusal({ verdict }: ExplainedPolicy): boolean {
  return verdict === 'refused';
}

function Bullet({ icon: Icon, bad = false }: { icon: ComponentType<IconProps>; bad?: boolean }) {
  return (
    <ThemeIcon size={28} radius="xl" variant="light" color={bad ? 'red' : 'gate'}>
      <Icon size={16} stroke={1.8} aria-hidden />
    </ThemeIcon>
  );
}

function Summary({ request }: { request: Explanation }) {
  const { t, number, time } = useTexts();
  const facts: [string, ReactNode][] = [
    [t('explain.api'), request.api ?? t('explain.none')],
    [t('explain.operation'), request.operation?.name ?? t('explain.none')],
    [t('explain.application'), request.application ?? t('explain.none')],
    [t('revision'), request.assetRevision ?? request.revision],
    [t('explain.time'), time(request.time)],
  ];
  if (!request.dryRun) {
    facts.push([t('explain.total'), `${number(request.totalMicros / 1000)} ms`]);
    facts.push([t('explain.upstreamTime'), `${number(request.providerMicros / 1000)} ms`]);
  }
  return (
    <Box className={`gw-panel ${classes.summary ?? ''}`} p="lg">
      {facts.map(([label, value]) => (
        <div key={label}>
          <Text size="sm" c="dimmed">
            {label}
          </Text>
          <Text fw={500}>{value}</Text>
        </div>
      ))}
    </Box>
  );
}

function Route({ request }: { request: Explanation }) {
  const { t } = useTexts();
  return (
    <>
      <Text size="sm">
        {request.api === undefined
          ? t('explain.noApi')
          : request.operation === undefined
            ? t('explain.noOperation', { api: request.api })
            : t('explain.reached', { api: request.api, operation: request.operation.name })}
      </Text>
      {(request.candidates ?? []).length > 0 && (
        <List size="sm" mt={4} c="dimmed" spacing={2}>
          {request.candidates?.map(({ api, basePath, operation, chosen, why }) => (
            <List.Item key={`${api} ${basePath} ${operation} ${why}`}>
              <span className="gw-mono">{operation ?? `${api} ${basePath}`}</span>{' '}
              {chosen && (
                <Badge size="xs" variant="light" tt="none">
                  {t('explain.chosen')}
                </Badge>
              )}{' '}
              {why}
            </List.Item>
          ))}
        </List>
      )}
    </>
  );
}

function PolicyTitle({ policy }: { policy: ExplainedPolicy }) {
  const { number } = useTexts();
  return (
    <Group gap="xs">
      <Text fw={600}>{policy.name}</Text>
      <Badge variant="light" color="gray" tt="none">
        {policy.stage}
      </Badge>
      <Text size="xs" c="dimmed">
        {number(policy.micros)} µs
      </Text>
    </Group>
  );
}

function PolicyText({ policy }: { policy: ExplainedPolicy }) {
  const { t } = useTexts();
  const place = [policy.level, policy.place, policy.template].filter(Boolean).join(' · ');
  return (
    <>
      <Text size="sm">
        <span className={isRefusal(policy) ? 'gw-bad' : 'gw-good'}>{policy.verdict}</span>
        {policy.reason && <Code ml={6}>{policy.reason}</Code>}
        {policy.note && ` – ${policy.note}`}
      </Text>
      <Text size="xs" c="dimmed">
        {t('explain.written', { place })}
      </Text>
    </>
  );
}

function Came({ of, connection }: { of: ExplainedCall | ExplainedAttempt; connection?: string }) {
  const { t, number } = useTexts();
  return (
    <Text size="sm">
      {of.failure === undefined ? (
        <StatusCode status={of.status ?? 0} />
      ) : (
        <span className="gw-bad">{of.failure}</span>
      )}{' '}
      {t('explain.took', { after: number(of.afterMillis), took: number(of.tookMillis) })}
      {connection !== undefined && ` · ${t('explain.connection', { kind: connection })}`}
    </Text>
  );
}

function Result({ request }: { request: Explanation }) {
  const { t, number } = useTexts();
  return (
    <>
      {request.reason !== undefined && (
        <Text size="sm">
          <Code>{request.reason.code}</Code> {request.reason.message}
        </Text>
      )}
      {request.detail && (
        <Text size="sm" c="dimmed">
          {request.detail}
        </Text>
      )}
      {request.dryRun ? (
        <Text size="sm">{t('explain.dryRun')}</Text>
      ) : (
        <Text size="sm" c="dimmed">
          {t('explain.bytes', { in: number(request.requestBytes), out: number(request.responseBytes) })}
        </Text>
      )}
      {request.reason?.code === 'no_route' && (
        <Anchor renderRoot={(props) => <Link to="/apis" {...props} />} size="sm">
          {t('nav.apis')}
        </Anchor>
      )}
    </>
  );
}

function Inert({ request }: { request: Explanation }) {
  const { t } = useTexts();
  if (!request.inert?.length) return null;
  return (
    <Box className="gw-panel" p="lg" mt="md">
      <Title order={2} mb="xs">
        {t('explain.inert')}
      </Title>
      <List size="sm">
        {request.inert.map(({ name, level, why }) => (
          <List.Item key={`${name} ${level} ${why}`}>
            <b>{name}</b> ({level}): {why}
          </List.Item>
        ))}
      </List>
    </Box>
  );
}

function Messages({ request }: { request: Explanation }) {
  const { t } = useTexts();
  const parts = Object.entries(request.messages ?? {});
  if (parts.length === 0) return null;
  return (
    <Box className="gw-panel" p="lg" mt="md">
      <Title order={2} mb="xs">
        {t('explain.messages')}
      </Title>
      {parts.map(([part, message]) => (
        <Box key={part} mb="sm">
          <Text size="sm" fw={600}>
            {part}
          </Text>
          <Code block tabIndex={0}>
            {typeof message === 'string' ? message : JSON.stringify(message, null, 2)}
          </Code>
        </Box>
      ))}
    </Box>
  );
}
