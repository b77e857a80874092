/** What an API was rated, and rating it. */
import { Group, Rating, Text } from '@mantine/core';
import type { ApiSummary } from '../api/portal';
import { usePortalTexts } from '../i18n';

export function Stars({ rating }: { rating: ApiSummary['rating'] }) {
  const { p, many, number } = usePortalTexts();
  const { average, count } = rating;
  if (average == null) {
    return (
      <Text size="sm" c="dimmed">
        {p('rating.none')}
      </Text>
    );
  }
  return (
    <Group
      gap={6}
      wrap="nowrap"
      role="img"
      aria-label={`${number(average)} / 5, ${many('rating.count', count)}`}
    >
      <Rating value={average} fractions={4} readOnly size="xs" aria-hidden />
      <Text size="sm" fw={600} aria-hidden>
        {number(Math.round(average * 10) / 10)}
      </Text>
      <Text size="sm" c="dimmed" aria-hidden>
        ({number(count)})
      </Text>
    </Group>
  );
}
