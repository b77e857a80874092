/** The latest requests of something, as they come. */
import { Group, Loader, Stack, Text } from '@mantine/core';
import type { RequestFilter } from '../../api/gateway';
import { ProblemBox } from '../../parts/ProblemBox';
import { RequestRow } from './RequestRow';
import { useRequests } from './useRequests';

interface Props {
  filter: RequestFilter;
  most: number;
  /** What is said while there are none. */
  waiting: string;
}

export function LiveRequests({ filter, most, waiting }: Props) {
  const { events, isError, error, isPending } = useRequests(filter, false);
  if (isError && events.length === 0) return <ProblemBox error={error} />;
  if (events.length === 0) {
    return (
      <Group gap="sm" py="md" role="status">
        <Loader size="xs" type="dots" />
        <Text size="sm" c="dimmed">
          {isPending ? '' : waiting}
        </Text>
      </Group>
    );
  }
  return (
    <Stack gap={0} mx={-14} aria-live="off">
      {events.slice(0, most).map((event) => (
        <RequestRow key={event.correlationID} event={event} />
      ))}
    </Stack>
  );
}
