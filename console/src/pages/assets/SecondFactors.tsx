/** Who has a second factor, and a way to take it from who has lost it. */
import { Box, Button, Collapse, Group, ScrollArea, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { resetSecondFactor, secondFactorsQuery } from '../../api/session';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useSession } from '../../session/session';
import { UserActions } from './UserActions';

export function SecondFactors() {
  const { t, time, count } = useTexts();
  const { user: me } = useSession();
  const id = useId();
  const [open, setOpen] = useState(false);
  const factors = useQuery(secondFactorsQuery);
  if (factors.isError) return <ProblemBox error={factors.error} />;
  const users = factors.data ?? [];
  if (users.length === 0) return null;
  return (
    <Box className="gw-panel" p="md" mb="md">
      <Group justify="space-between">
        <Text size="sm">{count('secondFactor.users', users.length)}</Text>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => setOpen(!open)}
          aria-expanded={open}
          aria-controls={id}
        >
          {t(open ? 'secondFactor.hide' : 'secondFactor.show')}
        </Button>
      </Group>
      <Collapse id={id} expanded={open}>
        <ScrollArea.Autosize
          mah={320}
          mt="sm"
          viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': t('secondFactor.title') }}
        >
          <UserActions
            users={users.map(({ user, since }) => ({
              user,
              about: t('secondFactor.since', { at: time(since) }),
            }))}
            action={t('secondFactor.reset')}
            actionOf={(name) => t('secondFactor.resetOf', { name })}
            does={resetSecondFactor}
            done={(name) => t('secondFactor.resetDone', { name })}
            queryKey={secondFactorsQuery.queryKey}
            except={me}
          />
        </ScrollArea.Autosize>
      </Collapse>
    </Box>
  );
}
