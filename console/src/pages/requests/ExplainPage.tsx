/** Why one request went as it did. */
import { Alert, Anchor, Button, Skeleton, Stack, Text } from '@mantine/core';
import { IconInfoCircle, IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { dryRun, type Explanation, explanationQuery } from '../../api/gateway';
import { useTexts } from '../../i18n';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { Decisions } from './Decisions';
import { RevisionSelect } from './RevisionSelect';

const route = getRouteApi('/requests/$id');

export function ExplainPage() {
  const { t } = useTexts();
  const { id } = route.useParams();
  const explained = useQuery(explanationQuery(id));
  const [revision, setRevision] = useState<number>();
  const again = useMutation({
    mutationFn: (request: Explanation) =>
      dryRun({ ...questionOf(request), ...(revision !== undefined && { revision }) }),
  });
  const back = { to: '/requests', label: t('nav.requests') };
  const request = explained.data;
  return (
    <>
      <PageHeader
        title={request === undefined ? t('explain.title') : `${request.method} ${request.path}`}
        back={back}
        about={<span className="gw-mono">{id}</span>}
      >
        {request !== undefined && (
          <Button
            variant="subtle"
            renderRoot={(props) => (
              <Link
                to="/requests/ask"
                search={{ method: request.method, url: questionOf(request).url }}
                {...props}
              />
            )}
          >
            {t('explain.edit')}
          </Button>
        )}
        {request !== undefined && (
          <>
            <RevisionSelect value={revision} onChange={setRevision} />
            <Button
              variant="default"
              leftSection={<IconPlayerPlay size={16} />}
              onClick={() => again.mutate(request)}
              loading={again.isPending}
            >
              {t('explain.again')}
            </Button>
          </>
        )}
      </PageHeader>
      {explained.isPending && <Skeleton height={400} />}
      {explained.isError && <ProblemBox error={explained.error} retry={() => explained.refetch()} />}
      <Stack gap="xl">
        {again.isError && <ProblemBox error={again.error} />}
        {again.data !== undefined && request !== undefined && <Since request={request} now={again.data} />}
        {again.data !== undefined && (
          <Decisions
            of={again.data}
            title={
              again.data.assetRevision === undefined
                ? t('explain.now')
                : t('explain.atRevision', { revision: again.data.assetRevision })
            }
          />
        )}
        {request !== undefined && (
          <Decisions of={request} title={again.data === undefined ? undefined : t('explain.then')} />
        )}
      </Stack>
    </>
  );
}

/** Whether the configuration is still the one that the request met. */
function Since({ request, now }: { request: Explanation; now: Explanation }) {
  const { t } = useTexts();
  const api = request.api;
  return (
    <Alert variant="light" color="gray" icon={<IconInfoCircle size={18} />} mb={-16}>
      <Text size="sm">{t('explain.credentials')}</Text>
      {now.assetRevision === undefined && now.revision !== request.revision && (
        <Text size="sm">
          {t('explain.changed', { then: request.revision, now: now.revision })}{' '}
          {api !== undefined && (
            <Anchor
              renderRoot={(props) => (
                <Link
                  to="/apis/$name"
                  params={{ name: api.replace(/ (?=\S*$)/, ':') }}
                  search={{ tab: 'history' }}
                  {...props}
                />
              )}
            >
              {t('explain.whatChanged', { api })}
            </Anchor>
          )}
        </Text>
      )}
    </Alert>
  );
}

/** The same request, without its credentials, which nobody keeps. */
function questionOf({ method, path, query, host, client }: Explanation) {
  const headers: [string, string][] = host ? [['host', host]] : [];
  return { method, url: query ? `${path}?${query}` : path, headers, client };
}
