/** What the gateway is set to, where that comes from, and what is not as it would be by default. */
import { Badge, Box, Button, Group, Skeleton, Stack, Switch, Text, Title } from '@mantine/core';
import { IconAdjustments, IconPencil } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, Navigate } from '@tanstack/react-router';
import { useState } from 'react';
import { type SettingsSection, settingsQuery } from '../../api/settings';
import { Description } from '../../forms/Description';
import { type Property, propertiesOf, rootField } from '../../forms/schema';
import { Empty } from '../../parts/Empty';
import { useKind, useMayChange } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';
import { ProblemBox } from '../../parts/ProblemBox';
import list from '../../parts/rows.module.css';
import { useMaySeeSettings } from './rights';
import { rowsOf, type SettingRow, shown } from './rows';
import { useSettingsTexts } from './texts';

const LIST = 'sharedSettings';
/** There is one asset, with this name. */
const NAME = 'settings';

export function SettingsPage() {
  const { p } = useSettingsTexts();
  const may = useMaySeeSettings();
  const mayChange = useMayChange(LIST);
  const kind = useKind(LIST);
  const served = useQuery({ ...settingsQuery, enabled: may });
  const [onlyChanged, setOnlyChanged] = useState(false);
  if (!may) return <Navigate to="/apis" />;
  const known = kind === undefined ? [] : propertiesOf(rootField(kind.schema));
  const exists = served.data?.some(({ from }) => from === 'asset') ?? false;
  const sections = (served.data ?? []).flatMap((section) => {
    const property = known.find(({ name }) => name === section.section);
    if (property === undefined) return [];
    const rows = rowsOf(property, section.value).filter(({ differs }) => differs || !onlyChanged);
    return rows.length === 0 ? [] : [{ section, property, rows }];
  });
  const isPending = served.isPending || kind === undefined;
  return (
    <>
      <PageHeader title={p('title')} about={p('about')}>
        {mayChange && served.isSuccess && (
          <Button
            renderRoot={(props) =>
              exists ? (
                <Link to="/assets/$list/of/$name" params={{ list: LIST, name: NAME }} {...props} />
              ) : (
                <Link to="/assets/$list/new" params={{ list: LIST }} {...props} />
              )
            }
            leftSection={<IconPencil size={16} />}
          >
            {p('change')}
          </Button>
        )}
      </PageHeader>
      <Switch
        mb="md"
        label={p('changed')}
        checked={onlyChanged}
        onChange={(event) => setOnlyChanged(event.currentTarget.checked)}
      />
      {isPending && !served.isError && <Skeleton height={320} />}
      {served.isError && <ProblemBox error={served.error} retry={() => served.refetch()} />}
      {!isPending && sections.length === 0 && !served.isError && (
        <Box className="gw-panel">
          <Empty icon={IconAdjustments} title={p('none.title')} text={p('none.text')} />
        </Box>
      )}
      <Stack gap="lg">
        {sections.map((of) => (
          <Section key={of.section.section} {...of} />
        ))}
      </Stack>
    </>
  );
}

const COLOURS = { asset: 'indigo', file: 'teal', default: 'gray' } as const;

interface SectionProps {
  section: SettingsSection;
  property: Property;
  rows: SettingRow[];
}

function Section({ section: { section, from }, property, rows }: SectionProps) {
  const { p } = useSettingsTexts();
  return (
    <Box className="gw-panel" p="md" component="section" aria-labelledby={`section-${section}`}>
      <Group gap="sm">
        <Title order={2} size="h4" id={`section-${section}`}>
          {section}
        </Title>
        <Badge variant="light" color={COLOURS[from]} tt="none">
          {p(`from.${from}`)}
        </Badge>
      </Group>
      <Description text={property.description} />
      <Text size="sm" c="dimmed" mb="sm">
        {p(`from.${from}.text`)}
      </Text>
      <ul className={list.list ?? ''} aria-label={p('settings', { section })}>
        {rows.map((row) => (
          <Row key={row.name} row={row} />
        ))}
      </ul>
    </Box>
  );
}

function Row({ row }: { row: SettingRow }) {
  const { p } = useSettingsTexts();
  return (
    <li className={list.row}>
      <Box className={list.grow ?? ''}>
        <Group gap="xs">
          <span className="gw-mono">{row.name}</span>
          {row.differs && (
            <Badge size="sm" variant="light" tt="none">
              {p('differs')}
            </Badge>
          )}
        </Group>
        <Description text={row.description} />
      </Box>
      <Value label={p('value')} of={row.value} />
      <Value label={p('default')} of={row.fallback} />
    </li>
  );
}

function Value({ label, of }: { label: string; of: unknown }) {
  const { p } = useSettingsTexts();
  const text = shown(of);
  return (
    <Box flex="0 1 190px" miw={130}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      {text === '' ? (
        <Text c="dimmed">{p('none')}</Text>
      ) : (
        <span className="gw-mono" style={{ overflowWrap: 'anywhere' }}>
          {text}
        </span>
      )}
    </Box>
  );
}
