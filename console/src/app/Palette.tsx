/** Everything by its name: pages, and assets of the kinds that people look for most. */
import { Box, Loader, Modal, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useId, useState } from 'react';
import { findAssets } from '../api/assets';
import { useTexts } from '../i18n';
import { KIND_TEXTS } from '../i18n/kinds';
import { useMaySeeTokens } from '../pages/oauth/rights';
import { useMaySeeSettings } from '../pages/settings/rights';
import { usePortalRights } from '../pages/portal/rights';
import { useMaySeeRequests } from '../pages/requests/rights';
import { useKinds } from '../parts/kinds';
import { MAY, useMay } from '../session/session';
import classes from './Palette.module.css';

interface Entry {
  label: string;
  about: string;
  to: string;
}

/** Kinds that are searched. */
const SEARCHED = ['apis', 'applications', 'upstreams'];

export default function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const navigate = useNavigate();
  const id = useId();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const [settled] = useDebouncedValue(text.trim(), 200);
  const found = useQuery({
    queryKey: ['assets', 'palette', settled],
    queryFn: () => Promise.all(SEARCHED.map((list) => findAssets(list, settled))),
    enabled: settled !== '',
    placeholderData: (before) => before,
  });
  const pages = usePages();
  const { locale } = useTexts();
  const words = text.trim().toLowerCase();
  const assets = words === '' ? [] : (found.data ?? []);
  const entries: Entry[] = [
    ...pages.filter(({ label }) => label.toLowerCase().includes(words)),
    ...assets.flatMap((names, index): Entry[] => {
      const list = SEARCHED[index] ?? '';
      const about = KIND_TEXTS[locale][list]?.one ?? list;
      return names.map((name) => ({
        label: name,
        about,
        to:
          list === 'apis'
            ? `/apis/${encodeURIComponent(name)}`
            : `/assets/${list}/of/${encodeURIComponent(name)}`,
      }));
    }),
  ];
  const current = Math.min(at, entries.length - 1);
  const open = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    void navigate({ to: entry.to });
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = (current + step + entries.length) % Math.max(1, entries.length);
      setAt(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Enter') {
      event.preventDefault();
      open(entries[current]);
    }
  };
  return (
    <Modal
      opened
      onClose={onClose}
      withCloseButton={false}
      padding={0}
      size="lg"
      yOffset="12vh"
      title={undefined}
      aria-label={t('palette.title')}
    >
      <TextInput
        data-autofocus
        aria-label={t('palette.title')}
        placeholder={t('palette.hint')}
        leftSection={<IconSearch size={18} />}
        rightSection={found.isFetching ? <Loader size="xs" /> : undefined}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={press}
        variant="unstyled"
        size="lg"
        role="combobox"
        aria-expanded
        aria-controls={`${id}-list`}
        aria-activedescendant={entries.length === 0 ? undefined : `${id}-${current}`}
        className={classes.search ?? ''}
      />
      <div id={`${id}-list`} role="listbox" aria-label={t('palette.title')} className={classes.list}>
        {entries.map((entry, index) => (
          <Box
            key={entry.to}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === current}
            className={classes.entry ?? ''}
            onClick={() => open(entry)}
            onMouseMove={() => setAt(index)}
          >
            <Text truncate>{entry.label}</Text>
            <Text size="sm" c="dimmed">
              {entry.about}
            </Text>
          </Box>
        ))}
      </div>
      {entries.length === 0 && (
        <Text c="dimmed" p="md" role="status">
          {t(found.isFetching ? 'loading' : 'list.nothing')}
        </Text>
      )}
    </Modal>
  );
}

/** Pages that whoever looks may see. */
function usePages(): Entry[] {
  const { t, locale } = useTexts();
  const kinds = useKinds();
  const mayUsers = useMay(MAY.users);
  const mayAudit = useMay(MAY.administration);
  const maySee = useMaySeeRequests();
  const maySeeTokens = useMaySeeTokens();
  const maySeeSettings = useMaySeeSettings();
  const portal = usePortalRights();
  const people = ['users', 'groups', 'teams', 'teamRules'];
  const page = (label: string, to: string): Entry => ({ label, about: t('palette.page'), to });
  return [
    page(t('nav.apis'), '/apis'),
    page(t('import.open'), '/apis/import'),
    ...(maySee
      ? [
          page(t('nav.requests'), '/requests'),
          page(t('ask.title'), '/requests/ask'),
          page(t('nav.dashboards'), '/dashboards'),
        ]
      : []),
    ...(portal.any ? [page(t('nav.portal'), '/portal')] : []),
    ...kinds
      .filter(({ list }) => list !== 'apis' && (mayUsers || !people.includes(list)))
      .map(({ list }) => page(KIND_TEXTS[locale][list]?.many ?? list, `/assets/${list}`)),
    ...(maySeeTokens ? [page(t('nav.oauthTokens'), '/oauth-tokens')] : []),
    ...(maySeeSettings ? [page(t('nav.settings'), '/settings')] : []),
    ...(mayAudit ? [page(t('nav.audit'), '/audit')] : []),
    page(t('nav.status'), '/status'),
    page(t('account'), '/account'),
  ];
}
