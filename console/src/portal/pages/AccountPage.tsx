/** One's own profile, password and second factor. */
import { Button, Group, Paper, SimpleGrid, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { PasswordForm } from '../../session/PasswordForm';
import { SecondFactor } from '../../session/SecondFactor';
import { type Profile, profileQuery, saveProfile } from '../api/portal';
import { usePortalTexts } from '../i18n';
import { Head, Page } from '../parts/Page';
import { SignedIn } from '../parts/SignedIn';
import { useVisit } from '../visitor';
import { Consents } from './Consents';

export function AccountPage() {
  return <SignedIn>{(user) => <Account user={user} />}</SignedIn>;
}

function Account({ user }: { user: string }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const toast = useToast();
  const { look } = useVisit();
  const profile = useQuery(profileQuery);
  return (
    <Page>
      <Head title={t('account')} about={t('account.about', { user })}>
        {!look.portalOnly && (
          <Button component="a" href="/console/" variant="default">
            {p('account.console')}
          </Button>
        )}
      </Head>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
        <Paper className="gw-panel" p="xl">
          <Title order={2} mb="md">
            {p('profile.title')}
          </Title>
          {profile.isPending && <Skeleton height={200} />}
          {profile.isError && <ProblemBox error={profile.error} retry={() => profile.refetch()} />}
          {profile.data !== undefined && <ProfileForm profile={profile.data} />}
        </Paper>
        <Paper className="gw-panel" p="xl">
          <Title order={2} mb="md">
            {t('password.title')}
          </Title>
          <PasswordForm user={user} own done={() => toast(t('password.saved'))} />
        </Paper>
        <Paper className="gw-panel" p="xl">
          <Title order={2} mb="md">
            {t('secondFactor.title')}
          </Title>
          <SecondFactor />
        </Paper>
        <Consents />
      </SimpleGrid>
    </Page>
  );
}

function ProfileForm({ profile }: { profile: Profile }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const toast = useToast();
  const queries = useQueryClient();
  const [firstName, setFirstName] = useState(profile.firstName ?? '');
  const [lastName, setLastName] = useState(profile.lastName ?? '');
  const [email, setEmail] = useState(profile.email ?? '');
  const save = useMutation({
    mutationFn: () => saveProfile({ firstName, lastName, email }),
    onSuccess: (saved) => {
      queries.setQueryData(profileQuery.queryKey, saved);
      toast(p('profile.saved'));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Group grow>
          <TextInput
            label={p('profile.firstName')}
            autoComplete="given-name"
            value={firstName}
            onChange={(event) => setFirstName(event.currentTarget.value)}
          />
          <TextInput
            label={p('profile.lastName')}
            autoComplete="family-name"
            value={lastName}
            onChange={(event) => setLastName(event.currentTarget.value)}
          />
        </Group>
        <TextInput
          label={p('profile.email')}
          type="email"
          autoComplete="email"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        {profile.groups.length > 0 && (
          <Text size="sm" c="dimmed">
            {t('account.groups', { groups: profile.groups.join(', ') })}
          </Text>
        )}
        {save.isError && <ProblemBox error={save.error} />}
        <Button type="submit" loading={save.isPending}>
          {t('save')}
        </Button>
      </Stack>
    </form>
  );
}
