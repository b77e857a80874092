/** What is chosen at a dashboard: how far it looks back; and its table for other programs. */
import { Box, Button, SegmentedControl } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { type Asked, csvAddress } from '../../api/analytics';
import { SPANS, USUAL } from './spans';
import { useDashboardTexts } from './texts';

interface SpanProps {
  hours: number;
  /** Told nothing for the usual time, which addresses leave out. */
  onChange: (hours: number | undefined) => void;
}

export function SpanChoice({ hours, onChange }: SpanProps) {
  const { p } = useDashboardTexts();
  return (
    <Box style={{ maxWidth: '100%', overflowX: 'auto' }}>
      <SegmentedControl
        value={String(hours)}
        onChange={(value) => onChange(Number(value) === USUAL ? undefined : Number(value))}
        aria-label={p('span')}
        data={SPANS.map((span) => ({ value: String(span), label: p(`span.${span}`) }))}
      />
    </Box>
  );
}

export function SaveCsv({ asked }: { asked: Asked }) {
  const { p } = useDashboardTexts();
  return (
    <Button
      component="a"
      href={csvAddress(asked)}
      download
      variant="default"
      leftSection={<IconDownload size={16} />}
    >
      {p('csv')}
    </Button>
  );
}
