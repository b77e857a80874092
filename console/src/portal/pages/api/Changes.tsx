/** What changed in an API, the newest first. */
import { Text, Timeline } from '@mantine/core';
import type { ApiDetail } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { LazyMarkdown } from '../../parts/LazyMarkdown';

export function Changes({ api }: { api: ApiDetail }) {
  const { day } = usePortalTexts();
  return (
    <Timeline bulletSize={14} lineWidth={2} maw={760} active={0}>
      {api.changes.map(({ date, text }, index) => (
        <Timeline.Item key={`${date} ${index}`} title={<Text fw={650}>{when(date, day)}</Text>}>
          <LazyMarkdown text={text} />
        </Timeline.Item>
      ))}
    </Timeline>
  );
}

function when(date: string, day: (at: string) => string): string {
  return Number.isNaN(new Date(date).getTime()) ? date : day(date);
}
