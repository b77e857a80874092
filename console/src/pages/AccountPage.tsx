/** One's own password, second factor, rights and access tokens. */
import {
  ActionIcon,
  Alert,
  Badge,
  Box,
  Button,
  Group,
  Kbd,
  Select,
  Skeleton,
  Stack,
  Switch,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { IconKey, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { createToken, deleteToken, type MadeToken, tokensQuery } from '../api/session';
import { useSingleKeys } from '../app/shortcuts';
import { useTexts } from '../i18n';
import { CommandLine } from '../parts/CommandLine';
import { Dialog, DialogEnd } from '../parts/Dialog';
import { PageHeader } from '../parts/PageHeader';
import { ProblemBox } from '../parts/ProblemBox';
import { useToast } from '../parts/Toasts';
import { PasswordForm } from '../session/PasswordForm';
import { SecondFactor } from '../session/SecondFactor';
import { useSession } from '../session/session';
import classes from './AccountPage.module.css';

export function AccountPage() {
  const { t } = useTexts();
  const { user, privileges, groups } = useSession();
  const toast = useToast();
  return (
    <>
      <PageHeader title={t('account')} about={t('account.about', { user })} />
      <div className={classes.columns}>
        <Box className="gw-panel" p="lg">
          <Title order={2} mb="md">
            {t('password.title')}
          </Title>
          <PasswordForm user={user} own done={() => toast(t('password.saved'))} />
          <Title order={2} mt="xl" mb="md">
            {t('secondFactor.title')}
          </Title>
          <SecondFactor />
        </Box>
        <Stack gap="lg" miw={0}>
          <Tokens />
          <Keys />
          <Box className="gw-panel" p="lg">
            <Title order={2} mb="md">
              {t('account.rights')}
            </Title>
            <Text size="sm" c="dimmed">
              {t('account.groups', { groups: groups.join(', ') || '–' })}
            </Text>
            <Group gap={6} mt="sm">
              {privileges.map((privilege) => (
                <Badge key={privilege} variant="light" color="gray" tt="none">
                  {privilege}
                </Badge>
              ))}
            </Group>
          </Box>
        </Stack>
      </div>
    </>
  );
}

function Tokens() {
  const { t, time } = useTexts();
  const queries = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const [made, setMade] = useState<MadeToken | null>(null);
  const [asking, setAsking] = useState(false);
  const refresh = () => queries.invalidateQueries({ queryKey: tokensQuery.queryKey });
  const remove = useMutation({ mutationFn: deleteToken, onSuccess: refresh });
  return (
    <Box className="gw-panel" p="lg">
      <Group justify="space-between" mb="xs">
        <Title order={2}>{t('tokens.title')}</Title>
        <Button size="xs" onClick={() => setAsking(true)}>
          {t('tokens.new')}
        </Button>
      </Group>
      <Text size="sm" c="dimmed" mb="md">
        {t('tokens.about')}
      </Text>
      {made !== null && (
        <Alert
          color="teal"
          variant="light"
          icon={<IconKey size={18} />}
          title={t('tokens.once')}
          mb="md"
          role="status"
        >
          <CommandLine text={made.token} label={t('tokens.text')} />
        </Alert>
      )}
      {tokens.isPending && <Skeleton height={60} />}
      {tokens.isError && <ProblemBox error={tokens.error} retry={() => tokens.refetch()} />}
      {remove.isError && <ProblemBox error={remove.error} />}
      {tokens.data?.length === 0 && <Text size="sm">{t('tokens.none')}</Text>}
      <Stack gap="xs">
        {tokens.data?.map((token) => (
          <Group key={token.id} justify="space-between" wrap="nowrap">
            <Box miw={0}>
              <Text fw={600} truncate>
                {token.name}
              </Text>
              <Text size="sm" c="dimmed">
                {token.expiresAt ? t('tokens.expires', { at: time(token.expiresAt) }) : t('tokens.forever')}
              </Text>
            </Box>
            <ActionIcon
              variant="subtle"
              color="red"
              onClick={() => remove.mutate(token.id)}
              aria-label={t('tokens.delete', { name: token.name })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
      </Stack>
      {asking && (
        <NewToken
          onClose={() => setAsking(false)}
          onMade={(token) => {
            setAsking(false);
            setMade(token);
            void refresh();
          }}
        />
      )}
    </Box>
  );
}

function NewToken({ onClose, onMade }: { onClose: () => void; onMade: (token: MadeToken) => void }) {
  const { t } = useTexts();
  const [name, setName] = useState('');
  const [lasts, setLasts] = useState('90d');
  const create = useMutation({
    mutationFn: () => createToken(name, lasts === '' ? undefined : lasts),
    onSuccess: onMade,
  });
  return (
    <Dialog title={t('tokens.new')} onClose={onClose} onSubmit={() => create.mutate()}>
      <TextInput
        label={t('tokens.name')}
        description={t('tokens.nameHelp')}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={200}
        required
        data-autofocus
      />
      <Select
        label={t('tokens.lasts')}
        value={lasts}
        onChange={(value) => setLasts(value ?? '')}
        allowDeselect={false}
        data={[
          { value: '7d', label: t('tokens.days', { days: 7 }) },
          { value: '30d', label: t('tokens.days', { days: 30 }) },
          { value: '90d', label: t('tokens.days', { days: 90 }) },
          { value: '365d', label: t('tokens.days', { days: 365 }) },
          { value: '', label: t('tokens.forever') },
        ]}
      />
      <DialogEnd action={t('tokens.create')} running={create} onClose={onClose} />
    </Dialog>
  );
}

/** Keys that work on every page. */
function Keys() {
  const { t } = useTexts();
  const [single, setSingle] = useSingleKeys();
  return (
    <Box className="gw-panel" p="lg">
      <Title order={2} mb="md">
        {t('keys.title')}
      </Title>
      <Stack gap="xs">
        <Group gap="sm">
          <Kbd>Ctrl K</Kbd> <Text size="sm">{t('keys.palette')}</Text>
        </Group>
        <Group gap="sm">
          <Kbd>/</Kbd> <Text size="sm">{t('keys.search')}</Text>
        </Group>
        <Switch
          mt="xs"
          label={t('keys.single')}
          checked={single}
          onChange={(event) => setSingle(event.currentTarget.checked)}
        />
      </Stack>
    </Box>
  );
}
