/** What an application has called: how much, how well, how fast. */
import { Box, Group, SegmentedControl, Skeleton, Table, Text, Title } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Empty } from '../../../parts/Empty';
import { ProblemBox } from '../../../parts/ProblemBox';
import { Chart } from '../../../parts/chart/Chart';
import { addedUp, seriesOf, spread } from '../../../parts/chart/report';
import { type Report, usageQuery } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { grouped } from '../../parts/grouped';
import rows from './rows.module.css';

const SPANS = [1, 7, 30] as const;

export default function Usage({ application }: { application: string }) {
  const { p } = usePortalTexts();
  const [days, setDays] = useState<number>(7);
  const usage = useQuery(usageQuery(application, days));
  return (
    <section>
      <Group justify="space-between" mb="lg">
        <Title order={2}>{p('usage.title')}</Title>
        <SegmentedControl
          value={String(days)}
          onChange={(value) => setDays(Number(value))}
          aria-label={p('usage.span')}
          data={SPANS.map((span) => ({ value: String(span), label: p(`usage.${span}`) }))}
        />
      </Group>
      {usage.isPending && <Skeleton height={320} />}
      {usage.isError && <ProblemBox error={usage.error} retry={() => usage.refetch()} />}
      {usage.data !== undefined &&
        (usage.data.items.length === 0 ? (
          <Empty icon={IconChartBar} title={p('usage.none.title')} text={p('usage.none.text')} />
        ) : (
          <Shown report={usage.data} days={days} />
        ))}
    </section>
  );
}

function Shown({ report, days }: { report: Report; days: number }) {
  const { p, number } = usePortalTexts();
  const all = addedUp(report.items);
  const step = days <= 1 ? 'hour' : 'day';
  const apis = grouped(report.items, ({ api }) => api ?? '')
    .map(([api, items]) => ({ api, ...addedUp(items) }))
    .sort((a, b) => b.requests - a.requests);
  const times = spread(report, step);
  const failed = (count: number, of: number) =>
    `${number(Math.round((count / Math.max(of, 1)) * 1000) / 10)} %`;
  return (
    <>
      <dl className={rows.figures}>
        <div>
          <dt>{p('usage.requests')}</dt>
          <dd>{number(all.requests)}</dd>
        </div>
        <div>
          <dt>{p('usage.errors')}</dt>
          <dd>{failed(all.clientErrors + all.serverErrors, all.requests)}</dd>
        </div>
        <div>
          <dt>{p('usage.refused')}</dt>
          <dd>{number(all.refused)}</dd>
        </div>
        <div>
          <dt>{p('usage.average')}</dt>
          <dd>{number(Math.round(all.averageMs * 10) / 10)} ms</dd>
        </div>
      </dl>
      <Chart
        label={p('usage.requests')}
        kind="bar"
        times={times}
        step={step}
        series={[
          {
            name: p('usage.good'),
            tone: 'primary',
            values: seriesOf(
              report.items,
              times,
              step,
              (item) => item.requests - item.clientErrors - item.serverErrors,
            ),
          },
          {
            name: p('usage.clientErrors'),
            tone: 'warn',
            values: seriesOf(report.items, times, step, (item) => item.clientErrors),
          },
          {
            name: p('usage.serverErrors'),
            tone: 'bad',
            values: seriesOf(report.items, times, step, (item) => item.serverErrors),
          },
        ]}
      />
      <Title order={3} mt="xl" mb="xs" fz="1.05rem">
        {p('usage.byApi')}
      </Title>
      <Box style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label={p('usage.byApi')}>
        <Table verticalSpacing="sm" miw={480}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>API</Table.Th>
              <Table.Th ta="right">{p('usage.requests')}</Table.Th>
              <Table.Th ta="right">{p('usage.errors')}</Table.Th>
              <Table.Th ta="right">{p('usage.average')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {apis.map(({ api, requests, clientErrors, serverErrors, averageMs }) => (
              <Table.Tr key={api}>
                <Table.Td>{api}</Table.Td>
                <Table.Td ta="right">{number(requests)}</Table.Td>
                <Table.Td ta="right">{failed(clientErrors + serverErrors, requests)}</Table.Td>
                <Table.Td ta="right">{number(Math.round(averageMs * 10) / 10)} ms</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Box>
      <Text size="sm" c="dimmed" mt="md">
        {p('usage.note')}
      </Text>
    </>
  );
}
