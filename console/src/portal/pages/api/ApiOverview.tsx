/** What an API is for, and its first call. */
import { Anchor, Badge, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type ApiDetail, portalDefinitionQuery } from '../../api/portal';
import { callOf } from '../../definition/call';
import { readDefinition } from '../../definition/read';
import { suggested } from '../../definition/suggested';
import { usePortalTexts } from '../../i18n';
import { baseUrl, keyHeaders } from '../../parts/address';
import { linkTo } from '../../parts/allowed';
import { LazyMarkdown } from '../../parts/LazyMarkdown';
import { Samples } from '../../parts/Samples';
import { useLook } from '../../visitor';
import classes from './ApiOverview.module.css';

export function ApiOverview({ api }: { api: ApiDetail }) {
  const { p } = usePortalTexts();
  const look = useLook();
  const source = useQuery({ ...portalDefinitionQuery(api.name), enabled: api.hasDefinition });
  const definition = useMemo(() => readDefinition(source.data ?? ''), [source.data]);
  const endpoints = definition?.endpoints ?? [];
  const first =
    endpoints.find(({ method, path }) => method === 'GET' && !path.includes('{')) ??
    endpoints.find(({ method }) => method === 'GET') ??
    endpoints[0];
  const call =
    first === undefined || definition === undefined
      ? { method: 'GET', path: '/', headers: [], body: undefined }
      : callOf(first, suggested(definition, first));
  const base = baseUrl(look, api);
  return (
    <div className={classes.columns}>
      <Stack gap="xl" miw={0}>
        <LazyMarkdown
          text={api.description ?? definition?.description ?? api.summary ?? p('api.noSummary')}
        />
        <section>
          <Title order={2} mb={6}>
            {p('overview.firstCall')}
          </Title>
          <Text c="dimmed" mb="md">
            {p(api.keyHeader == null ? 'overview.firstCall.open' : 'overview.firstCall.key')}
          </Text>
          <Samples
            sample={{ ...call, url: base + call.path, headers: [...keyHeaders(api), ...call.headers] }}
          />
        </section>
      </Stack>
      <Facts api={api} base={base} />
    </div>
  );
}

function Facts({ api, base }: { api: ApiDetail; base: string }) {
  const { p, day } = usePortalTexts();
  return (
    <dl className={classes.facts}>
      <dt>{p('overview.baseUrl')}</dt>
      <dd className="gw-mono">{base}</dd>
      <dt>{p('overview.auth')}</dt>
      <dd>
        {api.keyHeader == null ? (
          p('overview.auth.none')
        ) : (
          <>
            {p('overview.auth.key')} <span className="gw-mono">{api.keyHeader}</span>
          </>
        )}
      </dd>
      {api.needsSubscription && (
        <>
          <dt>{p('overview.access')}</dt>
          <dd>{p('overview.access.subscription')}</dd>
        </>
      )}
      {api.contact != null && (
        <>
          <dt>{p('overview.contact')}</dt>
          <dd>
            <Contact text={api.contact} />
          </dd>
        </>
      )}
      {api.categories.length + api.tags.length > 0 && (
        <>
          <dt>{p('overview.topics')}</dt>
          <dd>
            <Group gap={6} mt={4}>
              {[...api.categories, ...api.tags].map((name) => (
                <Badge key={name} variant="light" color="gray" tt="none">
                  {name}
                </Badge>
              ))}
            </Group>
          </dd>
        </>
      )}
      <dt>{p('overview.changed')}</dt>
      <dd>{day(api.changedAt)}</dd>
    </dl>
  );
}

function Contact({ text }: { text: string }) {
  const isAddress = /^[^\s@/]+@[^\s@/]+$/.test(text);
  const leads = linkTo(isAddress ? `mailto:${text}` : text);
  if (leads === undefined) return text;
  return (
    <Anchor inherit href={leads} rel="noreferrer noopener">
      {text}
    </Anchor>
  );
}
