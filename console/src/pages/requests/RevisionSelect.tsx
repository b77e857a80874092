/** Which configuration a request is asked about: that of now, or that of a revision. */
import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { revisionsQuery } from '../../api/assets';
import { useTexts } from '../../i18n';

const NOW = 'now';

export function RevisionSelect({
  value,
  onChange,
  label,
}: {
  value: number | undefined;
  onChange: (revision: number | undefined) => void;
  /** Shown above; without it, it is read out only. */
  label?: string;
}) {
  const { t, ago } = useTexts();
  const revisions = useQuery(revisionsQuery);
  const data = (revisions.data ?? []).map(({ revision, author, at, reason }) => {
    const by = t('history.by', { user: author, when: ago(at) });
    const said = reason ? `${by}: ${reason}` : by;
    return { value: String(revision), label: `${t('history.revision', { revision })} (${said})` };
  });
  return (
    <Select
      label={label}
      aria-label={label === undefined ? t('ask.configuration') : undefined}
      data={[{ value: NOW, label: t('ask.now') }, ...data]}
      value={value === undefined ? NOW : String(value)}
      onChange={(chosen) => onChange(chosen === null || chosen === NOW ? undefined : Number(chosen))}
      allowDeselect={false}
      searchable
      nothingFoundMessage={t('ask.noRevision')}
      comboboxProps={{ width: 'max-content', position: 'bottom-start' }}
    />
  );
}
