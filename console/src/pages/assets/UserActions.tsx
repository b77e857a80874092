/** Users of whom something is known, each with what can be done about it. */
import { Button, Group, Stack, Text } from '@mantine/core';
import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';

interface Props {
  users: { user: string; about: string }[];
  action: string;
  /** The same for one of them, for whoever does not see the row. */
  actionOf: (name: string) => string;
  does: (name: string) => Promise<void>;
  /** What is said when it was done. */
  done: (name: string) => string;
  /** What is asked for again then. */
  queryKey: QueryKey;
  /** Nothing can be done about this one. */
  except?: string;
}

export function UserActions({ users, action, actionOf, does, done, queryKey, except }: Props) {
  const queries = useQueryClient();
  const toast = useToast();
  const run = useMutation({
    mutationFn: does,
    onSuccess: async (_, name) => {
      toast(done(name));
      await queries.invalidateQueries({ queryKey });
    },
  });
  return (
    <Stack gap="xs">
      {users.map(({ user, about }) => (
        <Group key={user} justify="space-between" gap="sm">
          <Text size="sm">
            <b>{user}</b> – {about}
          </Text>
          {user !== except && (
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => run.mutate(user)}
              loading={run.isPending && run.variables === user}
              aria-label={actionOf(user)}
            >
              {action}
            </Button>
          )}
        </Group>
      ))}
      {run.isError && <ProblemBox error={run.error} />}
    </Stack>
  );
}
