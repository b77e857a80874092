/** Names with which nobody can log in for a while, and a way to let them in at once. Nothing where there are none. */
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lockedQuery, unlock } from '../../api/session';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';

export function LockedAccounts() {
  const { t, time, count } = useTexts();
  const queries = useQueryClient();
  const toast = useToast();
  const locked = useQuery(lockedQuery);
  const open = useMutation({
    mutationFn: unlock,
    onSuccess: async (_, name) => {
      toast(t('locked.done', { name }));
      await queries.invalidateQueries({ queryKey: lockedQuery.queryKey });
    },
  });
  if (locked.isError) return <ProblemBox error={locked.error} />;
  const names = locked.data ?? [];
  if (names.length === 0) return null;
  return (
    <Alert
      mb="md"
      color="orange"
      variant="light"
      icon={<IconLock size={18} />}
      title={count('locked.title', names.length)}
    >
      <Stack gap="xs">
        {names.map(({ user, failures, lockedUntil }) => (
          <Group key={user} justify="space-between" gap="sm">
            <Text size="sm">
              <b>{user}</b> – {t('locked.until', { failures, until: time(lockedUntil) })}
            </Text>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => open.mutate(user)}
              loading={open.isPending && open.variables === user}
              aria-label={t('locked.unlockOf', { name: user })}
            >
              {t('locked.unlock')}
            </Button>
          </Group>
        ))}
        {open.isError && <ProblemBox error={open.error} />}
      </Stack>
    </Alert>
  );
}
