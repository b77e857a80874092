/** Subscribes an application to an API: one that is there, or a new one. */
import { Alert, Button, Group, Select, Skeleton, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconCircleCheck, IconHourglass } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTexts } from '../../../i18n';
import { Dialog, DialogEnd } from '../../../parts/Dialog';
import { ProblemBox } from '../../../parts/ProblemBox';
import { type ApiDetail, applicationsQuery, createApplication, type Plan, subscribe } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { applicationPath, Link } from '../../links';

interface Props {
  api: ApiDetail;
  plan: Plan;
  onClose: () => void;
}

const NEW = '';

export function Subscribe({ api, plan, onClose }: Props) {
  const { p } = usePortalTexts();
  const applications = useQuery(applicationsQuery);
  return (
    <Dialog onClose={onClose} size="lg" title={p('subscribe.title', { api: api.title, plan: plan.title })}>
      {applications.isPending && <Skeleton height={160} />}
      {applications.isError && <ProblemBox error={applications.error} />}
      {applications.isSuccess && (
        <Form
          api={api}
          plan={plan}
          onClose={onClose}
          names={applications.data
            .filter(({ subscriptions }) => subscriptions.every((own) => own.api !== api.title))
            .map(({ name }) => name)}
        />
      )}
    </Dialog>
  );
}

function Form({ api, plan, onClose, names }: Props & { names: string[] }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const [chosen, choose] = useState(names[0] ?? NEW);
  const [made, setMade] = useState('');
  const [message, setMessage] = useState('');
  // An application that was made stays, also when the subscription is refused.
  const [exists, setExists] = useState<string | null>(null);
  const send = useMutation({
    mutationFn: async () => {
      let application = chosen;
      if (chosen === NEW) {
        application = made.trim();
        if (exists !== application) await createApplication({ name: application, origins: [] });
        setExists(application);
      }
      const said = message.trim() === '' ? {} : { message: message.trim() };
      return subscribe({ application, api: api.title, plan: plan.name, ...said });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['portal', 'applications'] }),
  });
  if (send.isSuccess) {
    const waits = send.data.state === 'pending';
    const Icon = waits ? IconHourglass : IconCircleCheck;
    return (
      <Stack>
        <Alert variant="light" color={waits ? 'yellow' : 'teal'} icon={<Icon size={20} />} role="status">
          {p(waits ? 'subscribe.waits' : 'subscribe.done', {
            application: send.data.application,
            api: api.title,
          })}
        </Alert>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('close')}
          </Button>
          <Button renderRoot={(props) => <Link to={applicationPath(send.data.application)} {...props} />}>
            {p('subscribe.toKeys')}
          </Button>
        </Group>
      </Stack>
    );
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {names.length > 0 && (
          <Select
            label={p('subscribe.application')}
            description={p('subscribe.applicationHelp')}
            value={chosen === NEW ? ' ' : chosen}
            onChange={(value) => choose(value === ' ' || value === null ? NEW : value)}
            allowDeselect={false}
            data={[
              ...names.map((name) => ({ value: name, label: name })),
              { value: ' ', label: p('subscribe.new') },
            ]}
          />
        )}
        {chosen === NEW && (
          <TextInput
            label={p('application.name')}
            description={p('application.nameHelp')}
            value={made}
            onChange={(event) => setMade(event.currentTarget.value)}
            maxLength={100}
            required
            withAsterisk={false}
            data-autofocus
          />
        )}
        {plan.approval && (
          <Textarea
            label={p('subscribe.message')}
            description={p('subscribe.messageHelp')}
            value={message}
            onChange={(event) => setMessage(event.currentTarget.value)}
            autosize
            minRows={2}
            maxLength={900}
          />
        )}
        {plan.approval && (
          <Text size="sm" c="dimmed">
            {p('plans.approval')}
          </Text>
        )}
        <DialogEnd
          action={p(plan.approval ? 'plans.ask' : 'plans.subscribe')}
          running={send}
          onClose={onClose}
        />
      </Stack>
    </form>
  );
}
