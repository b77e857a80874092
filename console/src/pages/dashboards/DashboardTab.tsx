/** The dashboard of one API or one application, on its page. */
import { Group, Text } from '@mantine/core';
import { SaveCsv, SpanChoice } from './Controls';
import { Dashboard } from './Dashboard';
import { spanOf, stepOf } from './spans';
import { useDashboardTexts } from './texts';

interface Props {
  /** Whose requests. */
  of: { api: string } | { application: string };
  hours: number | undefined;
  onHours: (hours: number | undefined) => void;
}

export function DashboardTab({ of, hours: said, onHours }: Props) {
  const { p } = useDashboardTexts();
  const hours = spanOf(said);
  const step = stepOf(hours);
  const about = { hours, ...of };
  return (
    <>
      <Group justify="space-between" mb="xs">
        <SpanChoice hours={hours} onChange={onHours} />
        <SaveCsv asked={{ ...about, interval: step }} />
      </Group>
      <Text size="sm" c="dimmed" mb="lg">
        {p('about')}
      </Text>
      <Dashboard about={about} step={step} />
    </>
  );
}
