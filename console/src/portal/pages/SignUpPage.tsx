/** Becoming a user: at once, or once somebody approves it. */
import { Anchor, Button, Group, Paper, PasswordInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconCircleCheck, IconHourglass, IconLock } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { asProblem } from '../../api/problem';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import { signUp } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { Link } from '../links';
import { Head, Page } from '../parts/Page';
import { useLook } from '../visitor';

const NOTHING = { user: '', password: '', firstName: '', lastName: '', email: '', message: '' };

export function SignUpPage() {
  const { p } = usePortalTexts();
  const look = useLook();
  const [form, setForm] = useState(NOTHING);
  const send = useMutation({
    mutationFn: () => {
      const { user, password, ...about } = form;
      const said = Object.fromEntries(Object.entries(about).filter(([, text]) => text.trim() !== ''));
      return signUp({ user: user.trim(), password, ...said });
    },
  });
  const waits = look.signUp === 'approval';
  if (look.signUp === 'off') {
    return (
      <Page width="narrow">
        <Empty icon={IconLock} title={p('signUp.off.title')} text={p('signUp.off.text')}>
          <Button renderRoot={(props) => <Link to="/login" {...props} />}>{p('login.title')}</Button>
        </Empty>
      </Page>
    );
  }
  if (send.isSuccess) {
    const { waitsForApproval } = send.data;
    return (
      <Page width="narrow">
        <div role="status">
          <Empty
            icon={waitsForApproval ? IconHourglass : IconCircleCheck}
            title={p(waitsForApproval ? 'signUp.waits.title' : 'signUp.done.title')}
            text={p(waitsForApproval ? 'signUp.waits.text' : 'signUp.done.text', { user: form.user })}
          >
            <Button renderRoot={(props) => <Link to={waitsForApproval ? '/' : '/login'} {...props} />}>
              {p(waitsForApproval ? 'signUp.home' : 'login.title')}
            </Button>
          </Empty>
        </div>
      </Page>
    );
  }
  return (
    <Page width="narrow">
      <Head title={p('signUp.title')} about={p(waits ? 'signUp.about.approval' : 'signUp.about.open')} />
      <Paper className="gw-panel" p="xl">
        <Form form={form} setForm={setForm} waits={waits} send={send} />
      </Paper>
      <Text size="sm" ta="center" mt="lg">
        {p('signUp.known')}{' '}
        <Anchor inherit underline="always" renderRoot={(props) => <Link to="/login" {...props} />}>
          {p('login.title')}
        </Anchor>
      </Text>
    </Page>
  );
}

interface FormProps {
  form: typeof NOTHING;
  setForm: (form: typeof NOTHING) => void;
  waits: boolean;
  send: { mutate: () => void; error: Error | null; isPending: boolean };
}

function Form({ form, setForm, waits, send }: FormProps) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  // What is wrong with a field is told there.
  const problems = send.error === null ? [] : asProblem(send.error).errors;
  const wrong = (field: string) => problems.find(({ path }) => path === field)?.message;
  const rest = problems.filter(({ path }) => path !== 'user' && path !== 'password');
  const text = (field: keyof typeof NOTHING) => ({
    value: form[field],
    onChange: (event: { currentTarget: { value: string } }) =>
      setForm({ ...form, [field]: event.currentTarget.value }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={p('signUp.user')}
          description={p('signUp.userHelp')}
          autoComplete="username"
          error={wrong('user')}
          required
          withAsterisk={false}
          {...text('user')}
        />
        <PasswordInput
          label={t('login.password')}
          description={t('password.rule', { count: 12 })}
          autoComplete="new-password"
          error={wrong('password')}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
          required
          withAsterisk={false}
          {...text('password')}
        />
        <Group grow align="flex-start">
          <TextInput label={p('profile.firstName')} autoComplete="given-name" {...text('firstName')} />
          <TextInput label={p('profile.lastName')} autoComplete="family-name" {...text('lastName')} />
        </Group>
        <TextInput label={p('profile.email')} type="email" autoComplete="email" {...text('email')} />
        {waits && (
          <Textarea
            label={p('signUp.message')}
            description={p('signUp.messageHelp')}
            autosize
            minRows={2}
            maxLength={1_000}
            {...text('message')}
          />
        )}
        {send.error !== null && (problems.length === 0 || rest.length > 0) && (
          <ProblemBox error={send.error} />
        )}
        <Button type="submit" loading={send.isPending}>
          {p(waits ? 'signUp.ask' : 'signUp.submit')}
        </Button>
      </Stack>
    </form>
  );
}
