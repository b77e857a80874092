/** What would become of a request: asked, not sent. */
import { Box, Button, Group, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { dryRun } from '../../api/gateway';
import { useTexts } from '../../i18n';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import { Decisions } from './Decisions';
import { headersOf } from './headers';
import { RevisionSelect } from './RevisionSelect';

const route = getRouteApi('/requests/ask');
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

export function AskPage() {
  const { t } = useTexts();
  const search = route.useSearch();
  const [method, setMethod] = useState(search.method ?? 'GET');
  const [url, setUrl] = useState(search.url ?? '/');
  const [headers, setHeaders] = useState('');
  const [revision, setRevision] = useState<number>();
  const ask = useMutation({
    mutationFn: () =>
      dryRun({ method, url, headers: headersOf(headers), ...(revision !== undefined && { revision }) }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  return (
    <>
      <PageHeader
        title={t('ask.title')}
        about={t('ask.about')}
        back={{ to: '/requests', label: t('nav.requests') }}
      />
      <Stack gap="lg">
        <Box className="gw-panel" p="lg" component="form" onSubmit={submit}>
          <Stack>
            <Group align="flex-end" gap="sm">
              <Select
                label={t('requests.method')}
                data={METHODS}
                value={method}
                onChange={(value) => setMethod(value ?? 'GET')}
                allowDeselect={false}
                w={120}
              />
              <TextInput
                label={t('ask.url')}
                value={url}
                onChange={(event) => setUrl(event.currentTarget.value)}
                flex="1 1 240px"
                classNames={{ input: 'gw-mono' }}
                required
                withAsterisk={false}
              />
            </Group>
            <Textarea
              label={t('ask.headers')}
              description={t('ask.headersHelp')}
              placeholder="X-API-Key: …"
              value={headers}
              onChange={(event) => setHeaders(event.currentTarget.value)}
              autosize
              minRows={2}
              maxRows={10}
              classNames={{ input: 'gw-mono' }}
            />
            <RevisionSelect label={t('ask.configuration')} value={revision} onChange={setRevision} />
            <Group>
              <Button type="submit" loading={ask.isPending}>
                {t('ask.submit')}
              </Button>
            </Group>
          </Stack>
        </Box>
        {ask.isError && <ProblemBox error={ask.error} />}
        {ask.data !== undefined && (
          <Decisions
            of={ask.data}
            title={
              ask.data.assetRevision === undefined
                ? undefined
                : t('explain.atRevision', { revision: ask.data.assetRevision })
            }
          />
        )}
      </Stack>
    </>
  );
}
