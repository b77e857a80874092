/** Names with which nobody can log in for a while, and a way to let them in at once. Nothing where there are none. */
import { Alert } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lockedQuery, unlock } from '../../api/session';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { UserActions } from './UserActions';

export function LockedAccounts() {
  const { t, time, count } = useTexts();
  const locked = useQuery(lockedQuery);
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
      <UserActions
        users={names.map(({ user, failures, lockedUntil }) => ({
          user,
          about: t('locked.until', { failures, until: time(lockedUntil) }),
        }))}
        action={t('locked.unlock')}
        actionOf={(name) => t('locked.unlockOf', { name })}
        does={unlock}
        done={(name) => t('locked.done', { name })}
        queryKey={lockedQuery.queryKey}
      />
    </Alert>
  );
}
