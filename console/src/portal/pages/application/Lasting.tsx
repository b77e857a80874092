/** How long a key or a secret counts, and how long the one before goes on. */
import { Select } from '@mantine/core';
import { usePortalTexts } from '../../i18n';

const LASTING = ['ever', '30d', '90d', '365d'] as const;
const OVERLAPS = ['0s', '1h', '1d', '7d'] as const;

export type Lasting = (typeof LASTING)[number];
export type Overlap = (typeof OVERLAPS)[number];

interface LastingProps {
  label: string;
  value: Lasting;
  onChange: (value: Lasting) => void;
}

export function SelectLasting({ label, value, onChange }: LastingProps) {
  const { p } = usePortalTexts();
  return (
    <Select
      label={label}
      value={value}
      onChange={(chosen) => onChange(LASTING.find((known) => known === chosen) ?? 'ever')}
      allowDeselect={false}
      data={LASTING.map((known) => ({ value: known, label: p(`keys.lasts.${known}`) }))}
    />
  );
}

interface OverlapProps {
  label: string;
  description: string;
  value: Overlap;
  onChange: (value: Overlap) => void;
  /** It ends now, whatever is wanted. */
  onlyNow?: boolean;
}

export function SelectOverlap({ label, description, value, onChange, onlyNow = false }: OverlapProps) {
  const { p } = usePortalTexts();
  return (
    <Select
      label={label}
      description={description}
      value={onlyNow ? '0s' : value}
      onChange={(chosen) => onChange(OVERLAPS.find((known) => known === chosen) ?? '1d')}
      allowDeselect={false}
      disabled={onlyNow}
      data={OVERLAPS.map((known) => ({ value: known, label: p(`keys.overlap.${known}`) }))}
    />
  );
}
