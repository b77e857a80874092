/** One's own applications. */
import { Badge, Box, Button, Group, Skeleton, Text, Textarea, TextInput } from '@mantine/core';
import { IconApps, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Dialog, DialogEnd } from '../../parts/Dialog';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import { type Application, applicationsQuery, createApplication } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { applicationPath, Link, useGo } from '../links';
import { Initial } from '../parts/ApiCard';
import { Head, Page } from '../parts/Page';
import { SignedIn } from '../parts/SignedIn';
import classes from './ApplicationsPage.module.css';

export function ApplicationsPage() {
  return <SignedIn>{() => <Applications />}</SignedIn>;
}

function Applications() {
  const { p } = usePortalTexts();
  const applications = useQuery(applicationsQuery);
  const [making, setMaking] = useState(false);
  const create = (
    <Button leftSection={<IconPlus size={18} />} onClick={() => setMaking(true)}>
      {p('applications.new')}
    </Button>
  );
  const { data } = applications;
  return (
    <Page>
      <Head title={p('nav.applications')} about={p('applications.about')}>
        {data !== undefined && data.length > 0 && create}
      </Head>
      {applications.isPending && <Skeleton height={240} />}
      {applications.isError && <ProblemBox error={applications.error} retry={() => applications.refetch()} />}
      {data !== undefined && data.length === 0 && (
        <Empty icon={IconApps} title={p('applications.none.title')} text={p('applications.none.text')}>
          {create}
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <ul className={classes.list}>
          {data.map((application) => (
            <li key={application.id}>
              <Row application={application} />
            </li>
          ))}
        </ul>
      )}
      {making && <NewApplication onClose={() => setMaking(false)} />}
    </Page>
  );
}

function Row({ application }: { application: Application }) {
  const { p, many } = usePortalTexts();
  const { name, description, keys, subscriptions, suspended } = application;
  const live = keys.filter((key) => !key.expired).length;
  return (
    <Link to={applicationPath(name)} className={classes.row}>
      <Initial name={name} />
      <Box miw={0} flex={1}>
        <Group gap="xs">
          <Text fw={620}>{name}</Text>
          {suspended && (
            <Badge color="red" variant="light" tt="none">
              {p('application.suspended')}
            </Badge>
          )}
        </Group>
        {description != null && (
          <Text size="sm" c="dimmed" truncate>
            {description}
          </Text>
        )}
      </Box>
      <Text size="sm" c="dimmed" className={classes.counts ?? ''}>
        {many('application.keys', live)} · {many('application.subscriptions', subscriptions.length)}
      </Text>
    </Link>
  );
}

function NewApplication({ onClose }: { onClose: () => void }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const go = useGo();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const create = useMutation({
    mutationFn: () => createApplication({ name: name.trim(), description, origins: [] }),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: applicationsQuery.queryKey });
      go({ to: applicationPath(made.name) });
    },
  });
  return (
    <Dialog title={p('applications.new')} onClose={onClose} onSubmit={() => create.mutate()}>
      <TextInput
        label={p('application.name')}
        description={p('application.nameHelp')}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={100}
        required
        withAsterisk={false}
        data-autofocus
      />
      <Textarea
        label={p('application.description')}
        value={description}
        onChange={(event) => setDescription(event.currentTarget.value)}
        autosize
        minRows={2}
        maxLength={2_000}
      />
      <DialogEnd action={p('applications.create')} running={create} onClose={onClose} />
    </Dialog>
  );
}
