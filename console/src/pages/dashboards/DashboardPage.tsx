/** The dashboard of the gateway, which can be narrowed to an API or an application. */
import { Group, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { namesQuery } from '../../api/assets';
import { useTexts } from '../../i18n';
import { PageHeader } from '../../parts/PageHeader';
import { SaveCsv, SpanChoice } from './Controls';
import { Dashboard } from './Dashboard';
import { spanOf, stepOf } from './spans';
import { useDashboardTexts } from './texts';

const route = getRouteApi('/dashboards');

export function DashboardPage() {
  const { t } = useTexts();
  const { p } = useDashboardTexts();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const hours = spanOf(search.hours);
  const step = stepOf(hours);
  const about = { hours, api: search.api, application: search.application };
  const change = (to: Partial<typeof search>) =>
    navigate({ search: (before) => ({ ...before, ...to }), replace: true, resetScroll: false });
  return (
    <>
      <PageHeader title={t('nav.dashboards')} about={p('about')}>
        <SaveCsv asked={{ ...about, interval: step }} />
      </PageHeader>
      <Group mb="xl" align="flex-end">
        <SpanChoice hours={hours} onChange={(to) => change({ hours: to })} />
        <Choice list="apis" label={p('api')} value={search.api} onChange={(api) => change({ api })} />
        <Choice
          list="applications"
          label={p('application')}
          value={search.application}
          onChange={(application) => change({ application })}
        />
      </Group>
      <Dashboard about={about} step={step} />
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
