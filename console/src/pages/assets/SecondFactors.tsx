/** Who has a second factor, and a way to take it from who has lost it. */
import { Box, Button, Collapse, Group, ScrollArea, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { resetSecondFactor, secondFactorsQuery } from '../../api/session';
import { useTexts } from '../../i18n';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { useSession } from '../../session/session';

export function SecondFactors() {
  const { t, time, count } = useTexts();
  const { user: me } = useSession();
  const queries = useQueryClient();
  const toast = useToast();
  const id = useId();
  const [open, setOpen] = useState(false);
  const factors = useQuery(secondFactorsQuery);
  const reset = useMutation({
    mutationFn: resetSecondFactor,
    onSuccess: async (_, name) => {
      toast(t('secondFactor.resetDone', { name }));
      await queries.invalidateQueries({ queryKey: secondFactorsQuery.queryKey });
    },
  });
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
          <Stack gap="xs">
            {users.map(({ user, since }) => (
              <Group key={user} justify="space-between" gap="sm">
                <Text size="sm">
                  <b>{user}</b> – {t('secondFactor.since', { at: time(since) })}
                </Text>
                {user !== me && (
                  <Button
                    size="compact-sm"
                    variant="default"
                    onClick={() => reset.mutate(user)}
                    loading={reset.isPending && reset.variables === user}
                    aria-label={t('secondFactor.resetOf', { name: user })}
                  >
                    {t('secondFactor.reset')}
                  </Button>
                )}
              </Group>
            ))}
          </Stack>
        </ScrollArea.Autosize>
        {reset.isError && <ProblemBox error={reset.error} />}
      </Collapse>
    </Box>
  );
}
