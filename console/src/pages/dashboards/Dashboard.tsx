/** What requests add up to in a time: figures, charts, and who has the largest part in them. */
import { ActionIcon, Box, Group, Skeleton, Text, Title } from '@mantine/core';
import { IconChartBar, IconPhotoDown } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useMemo, useRef } from 'react';
import { type Asked, analyticsQuery, type Report } from '../../api/analytics';
import { Chart, type ChartProps } from '../../parts/chart/Chart';
import { addedUp, type Bucket, reasonsOf, seriesOf, type Step, spread } from '../../parts/chart/report';
import { Empty } from '../../parts/Empty';
import { ProblemBox } from '../../parts/ProblemBox';
import classes from './Dashboard.module.css';
import { useDashboardTexts } from './texts';

const SHOWN = 8;

interface Props {
  /** The time, and whose requests are meant. */
  about: Asked;
  step: Step;
}

export function Dashboard({ about, step }: Props) {
  const { p } = useDashboardTexts();
  const series = useQuery(analyticsQuery({ ...about, interval: step }));
  if (series.isPending) return <Skeleton height={420} />;
  if (series.isError) return <ProblemBox error={series.error} retry={() => series.refetch()} />;
  if (series.data.items.length === 0) {
    return (
      <Box className="gw-panel">
        <Empty icon={IconChartBar} title={p('none.title')} text={p('none.text')} />
      </Box>
    );
  }
  return <Shown report={series.data} step={step} about={about} />;
}

interface ShownProps extends Props {
  report: Report;
}

function Shown({ report, step, about }: ShownProps) {
  const { p, number } = useDashboardTexts();
  const { items } = report;
  const all = addedUp(items);
  const times = useMemo(() => spread(report, step), [report, step]);
  const of = (value: (item: Bucket) => number) => seriesOf(items, times, step, value);
  const whole = useQuery(analyticsQuery({ ...about }));
  const exact = whole.data?.items[0];
  const ms = (value: number | undefined) =>
    value === undefined ? '–' : `${number(Math.round(value * 10) / 10)} ms`;
  const share = (part: number) => `${number(Math.round((part / Math.max(all.requests, 1)) * 1000) / 10)} %`;
  const seen = new Set(items.map(({ at }) => at));
  // Where no requests were there is no latency: a gap, not a zero.
  const latency = (value: (item: Bucket) => number) =>
    of(value).map((one, index) => (one === 0 && !seen.has(times[index] ?? 0) ? null : one));
  return (
    <>
      <dl className={classes.figures}>
        <Figure name={p('requests')} value={number(all.requests)} />
        <Figure name={p('errorRate')} value={share(all.clientErrors + all.serverErrors)} />
        <Figure name={p('refused')} value={number(all.refused)} />
        <Figure name={p('cacheHits')} value={share(all.cacheHits)} />
        <Figure name="p50" value={ms(exact?.p50Ms)} />
        <Figure name="p99" value={ms(exact?.p99Ms)} />
      </dl>
      <div className={classes.charts}>
        <ChartCard
          title={p('traffic')}
          kind="bar"
          times={times}
          step={step}
          series={[
            {
              name: p('good'),
              tone: 'primary',
              values: of((item) => item.requests - item.clientErrors - item.serverErrors),
            },
            { name: p('clientErrors'), tone: 'warn', values: of((item) => item.clientErrors) },
            { name: p('serverErrors'), tone: 'bad', values: of((item) => item.serverErrors) },
          ]}
        />
        <ChartCard
          title={p('latency')}
          kind="line"
          unit="ms"
          times={times}
          step={step}
          series={[
            { name: 'p50', tone: 'good', values: latency((item) => item.p50Ms) },
            { name: 'p90', tone: 'primary', values: latency((item) => item.p90Ms) },
            { name: 'p99', tone: 'warn', values: latency((item) => item.p99Ms) },
          ]}
        />
        <ChartCard
          title={p('errors')}
          kind="line"
          times={times}
          step={step}
          series={[
            { name: p('refused'), tone: 'warn', values: of((item) => item.refused) },
            { name: p('serverErrors'), tone: 'bad', values: of((item) => item.serverErrors) },
          ]}
        />
        <ChartCard
          title={p('cacheHits')}
          kind="bar"
          times={times}
          step={step}
          series={[{ name: p('cacheHits'), tone: 'good', values: of((item) => item.cacheHits) }]}
        />
        {about.api === undefined && <Top title={p('topApis')} about={about} group="api" />}
        {about.application === undefined && (
          <Top title={p('topApplications')} about={about} group="application" />
        )}
        <Card title={p('reasons')}>
          <Bars rows={reasonsOf(items)} none={p('reasonsNone')} />
        </Card>
      </div>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Card({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <Box component="section" className="gw-panel" p="lg" miw={0}>
      <Group justify="space-between" mb="sm" wrap="nowrap">
        <Title order={2}>{title}</Title>
        {action}
      </Group>
      {children}
    </Box>
  );
}

function ChartCard({ title, ...chart }: Omit<ChartProps, 'label'> & { title: string }) {
  const { p } = useDashboardTexts();
  const picture = useRef<(() => string) | null>(null);
  const save = () => {
    if (picture.current === null) return;
    const link = document.createElement('a');
    link.href = picture.current();
    link.download = `${title}.png`;
    link.click();
  };
  return (
    <Card
      title={title}
      action={
        <ActionIcon variant="subtle" color="gray" onClick={save} aria-label={p('png', { chart: title })}>
          <IconPhotoDown size={18} />
        </ActionIcon>
      }
    >
      <Chart
        {...chart}
        label={title}
        onReady={(take) => {
          picture.current = take;
        }}
      />
    </Card>
  );
}

function Top({ title, about, group }: { title: string; about: Asked; group: 'api' | 'application' }) {
  const { p } = useDashboardTexts();
  const top = useQuery(analyticsQuery({ ...about, group }));
  const unnamed = p(group === 'api' ? 'noApi' : 'noApplication');
  const rows = (top.data?.items ?? []).map((item): [string, number] => [
    item[group] || unnamed,
    item.requests,
  ]);
  return (
    <Card title={title}>
      {top.isPending && <Skeleton height={160} />}
      {top.isError && <ProblemBox error={top.error} />}
      {top.isSuccess && <Bars rows={rows} none={p('none.title')} />}
    </Card>
  );
}

function Bars({ rows, none }: { rows: [string, number][]; none: string }) {
  const { number } = useDashboardTexts();
  const most = Math.max(1, ...rows.map(([, count]) => count));
  if (rows.length === 0) return <Text c="dimmed">{none}</Text>;
  return (
    <ul className={classes.bars}>
      {rows.slice(0, SHOWN).map(([name, count]) => (
        <li key={name}>
          <Group justify="space-between" wrap="nowrap" gap="sm">
            <Text size="sm" truncate>
              {name}
            </Text>
            <Text size="sm" fw={600}>
              {number(count)}
            </Text>
          </Group>
          <div className={classes.track} aria-hidden>
            <div className={classes.fill} style={{ width: `${(count / most) * 100}%` }} />
          </div>
        </li>
      ))}
    </ul>
  );
}
