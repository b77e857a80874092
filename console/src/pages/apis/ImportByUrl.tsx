/** An API whose definition is fetched by the gateway, from where it is published. */
import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { createAsset } from '../../api/assets';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import classes from './ImportPage.module.css';

export function ImportByUrl() {
  const { t } = useTexts();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toast = useToast();
  const [url, setUrl] = useState('');
  const [name, setName] = useState('');
  const [version, setVersion] = useState('1.0');
  const [upstream, setUpstream] = useState('');
  const create = useMutation({
    mutationFn: () => {
      const spec = { name, version, definition: url };
      return createAsset('apis', upstream === '' ? spec : { ...spec, upstream }, {});
    },
    onSuccess: async (api) => {
      toast(t('import.done', { name: api.name }));
      await queries.invalidateQueries({ queryKey: ['assets'] });
      await navigate({ to: '/apis/$name', params: { name: api.name } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack className="gw-panel" p="lg">
        <TextInput
          label={t('import.urlFor')}
          description={t('import.urlHelp')}
          type="url"
          placeholder="https://orders.internal/openapi.json"
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
          required
          withAsterisk={false}
        />
        <div className={classes.pair}>
          <TextInput
            label={t('import.name')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            withAsterisk={false}
          />
          <TextInput
            label={t('import.version')}
            value={version}
            onChange={(event) => setVersion(event.currentTarget.value)}
            required
            withAsterisk={false}
          />
        </div>
        <TextInput
          label={t('import.upstream')}
          description={t('import.upstreamUrlHelp')}
          value={upstream}
          onChange={(event) => setUpstream(event.currentTarget.value)}
        />
        {create.isError && <ProblemBox error={create.error} title={t('import.refused')} />}
        <Group>
          <Button type="submit" loading={create.isPending}>
            {t('import.submit')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
