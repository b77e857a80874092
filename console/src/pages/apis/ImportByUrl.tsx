/** A definition that the gateway fetches from where it is published; then it goes on as with a file. */
import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { fetchDefinition } from '../../api/trial';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';

export function ImportByUrl({ onDocument }: { onDocument: (document: string, url: string) => void }) {
  const { t } = useTexts();
  const [url, setUrl] = useState('');
  const fetched = useMutation({
    mutationFn: () => fetchDefinition(url.trim()),
    onSuccess: (document) => onDocument(document, url.trim()),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    fetched.mutate();
  };
  return (
    <Stack className="gw-panel" p="lg" component="form" onSubmit={submit}>
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
      {fetched.isError && <ProblemBox error={fetched.error} title={t('import.notFetched')} />}
      <Group>
        <Button type="submit" loading={fetched.isPending}>
          {t('next')}
        </Button>
      </Group>
    </Stack>
  );
}
