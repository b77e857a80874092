/** Dashboards: traffic, errors, latency, refusals, for the gateway, an API or an application. */
import {
  ActionIcon,
  Box,
  Button,
  Group,
  SegmentedControl,
  Select,
  Skeleton,
  Text,
  Title,
} from '@mantine/core';
import { IconChartBar, IconDownload, IconPhotoDown } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode, useMemo, useRef } from 'react';
import { type Asked, analyticsQuery, csvAddress, type Report } from '../../api/analytics';
import { namesQuery } from '../../api/assets';
import { useTexts } from '../../i18n';
import { Chart, type ChartProps } from '../../parts/chart/Chart';
import { addedUp, type Bucket, reasonsOf, seriesOf, spread } from '../../parts/chart/report';
import { Empty } from '../../parts/Empty';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import classes from './DashboardPage.module.css';
import { useDashboardTexts } from './texts';

const SPANS = [1, 6, 24, 168, 720] as const;
const SHOWN = 8;

const route = getRouteApi('/dashboards');

export function DashboardPage() {
  const { t } = useTexts();
  const { p } = useDashboardTexts();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const hours = SPANS.find((span) => span === search.hours) ?? 24;
  const interval = hours <= 6 ? 'minute' : hours <= 24 ? 'hour' : 'day';
  const about = { hours, api: search.api, application: search.application };
  const asked: Asked = { ...about, interval };
  const series = useQuery(analyticsQuery(asked));
  const change = (to: Partial<typeof search>) =>
    navigate({ search: (before) => ({ ...before, ...to }), replace: true, resetScroll: false });
  return (
    <>
      <PageHeader title={t('nav.dashboards')} about={p('about')}>
        <Button
          component="a"
          href={csvAddress(asked)}
          download
          variant="default"
          leftSection={<IconDownload size={16} />}
        >
          {p('csv')}
        </Button>
      </PageHeader>
      <Group mb="xl" align="flex-end">
        <Box style={{ maxWidth: '100%', overflowX: 'auto' }}>
          <SegmentedControl
            value={String(hours)}
            onChange={(value) => change({ hours: value === '24' ? undefined : Number(value) })}
            aria-label={p('span')}
            data={SPANS.map((span) => ({ value: String(span), label: p(`span.${span}`) }))}
          />
        </Box>
        <Choice list="apis" label={p('api')} value={search.api} onChange={(api) => change({ api })} />
        <Choice
          list="applications"
          label={p('application')}
          value={search.application}
          onChange={(application) => change({ application })}
        />
      </Group>
      {series.isPending && <Skeleton height={420} />}
      {series.isError && <ProblemBox error={series.error} retry={() => series.refetch()} />}
      {series.data !== undefined &&
        (series.data.items.length === 0 ? (
          <Box className="gw-panel">
            <Empty icon={IconChartBar} title={p('none.title')} text={p('none.text')} />
          </Box>
        ) : (
          <Shown report={series.data} interval={interval} about={about} />
        ))}
    </>
  );
}

interface ChoiceProps {
  list: string;
  label: string;
  value: string | undefined;
  onChange: (name: string | undefined) => void;
}

function Choice({ list, label, value, onChange }: ChoiceProps) {
  const { p } = useDashboardTexts();
  const names = useQuery(namesQuery(list));
  const known = names.data ?? [];
  const data = value === undefined || known.includes(value) ? known : [value, ...known];
  return (
    <Select
      label={label}
      w={210}
      value={value ?? null}
      onChange={(name) => onChange(name ?? undefined)}
      placeholder={p('all')}
      data={data}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': p('all') }}
      limit={50}
    />
  );
}

interface ShownProps {
  report: Report;
  interval: 'minute' | 'hour' | 'day';
  about: Asked;
}

function Shown({ report, interval, about }: ShownProps) {
  const { p, number } = useDashboardTexts();
  const { items } = report;
  const all = addedUp(items);
  const times = useMemo(() => spread(report, interval), [report, interval]);
  const of = (value: (item: Bucket) => number) => seriesOf(items, times, interval, value);
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
          step={interval}
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
          step={interval}
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
          step={interval}
          series={[
            { name: p('refused'), tone: 'warn', values: of((item) => item.refused) },
            { name: p('serverErrors'), tone: 'bad', values: of((item) => item.serverErrors) },
          ]}
        />
        <ChartCard
          title={p('cacheHits')}
          kind="bar"
          times={times}
          step={interval}
          series={[{ name: p('cacheHits'), tone: 'good', values: of((item) => item.cacheHits) }]}
        />
        <Top title={p('topApis')} about={about} group="api" />
        <Top title={p('topApplications')} about={about} group="application" />
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
