/** What an application says about itself, and its end. */
import { Button, Group, Stack, TagsInput, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTexts } from '../../../i18n';
import { ProblemBox } from '../../../parts/ProblemBox';
import { useToast } from '../../../parts/Toasts';
import { type Application, changeApplication, deleteApplication } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { useGo } from '../../links';

export function Settings({ application }: { application: Application }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const toast = useToast();
  const queries = useQueryClient();
  const { name } = application;
  const [description, setDescription] = useState(application.description ?? '');
  const [contact, setContact] = useState(application.contact ?? '');
  const [origins, setOrigins] = useState(application.origins);
  const save = useMutation({
    mutationFn: () => changeApplication({ name, description, contact, origins }),
    onSuccess: async () => {
      toast(p('application.saved'));
      await queries.invalidateQueries({ queryKey: ['portal', 'applications'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Stack maw={640} gap={48}>
      <form onSubmit={submit}>
        <Stack>
          <Textarea
            label={p('application.description')}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
            autosize
            minRows={2}
            maxLength={2_000}
          />
          <TextInput
            label={p('application.contact')}
            description={p('application.contactHelp')}
            value={contact}
            onChange={(event) => setContact(event.currentTarget.value)}
            maxLength={300}
          />
          <TagsInput
            label={p('application.origins')}
            description={p('application.originsHelp')}
            placeholder="https://shop.example"
            value={origins}
            onChange={setOrigins}
            maxTags={20}
          />
          {save.isError && <ProblemBox error={save.error} />}
          <Group>
            <Button type="submit" loading={save.isPending}>
              {t('save')}
            </Button>
          </Group>
        </Stack>
      </form>
      <Delete name={name} />
    </Stack>
  );
}

function Delete({ name }: { name: string }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const toast = useToast();
  const queries = useQueryClient();
  const go = useGo();
  const [typed, setTyped] = useState('');
  const remove = useMutation({
    mutationFn: () => deleteApplication(name),
    onSuccess: async () => {
      toast(t('deleted', { name }));
      go({ to: '/applications' });
      await queries.invalidateQueries({ queryKey: ['portal', 'applications', 'list'] });
    },
  });
  return (
    <section>
      <Title order={2} mb={4}>
        {p('application.delete')}
      </Title>
      <Text c="dimmed" mb="md">
        {p('application.deleteText')}
      </Text>
      <Group align="flex-end">
        <TextInput
          flex="1 1 240px"
          label={t('delete.type', { name })}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
        />
        <Button
          color="red"
          disabled={typed !== name}
          onClick={() => remove.mutate()}
          loading={remove.isPending}
        >
          {t('delete')}
        </Button>
      </Group>
      {remove.isError && <ProblemBox error={remove.error} />}
    </section>
  );
}
