/** Texts of the page about settings. */
import { textsOf } from '../../i18n/catalogue';

const en = {
  about:
    'What the node that answers serves by. Sections in the asset count for all nodes; the others are up to the file of each node.',
  change: 'Change settings',
  changed: 'Only those that differ from their default',
  default: 'Default',
  differs: 'changed',
  'from.asset': 'For all nodes',
  'from.asset.text': 'Written in the asset, which is changed here.',
  'from.default': 'Defaults',
  'from.default.text': 'Nobody says anything else.',
  'from.file': 'From the file of the node',
  'from.file.text':
    'Changed under settings in the file of the node. Once the section is in the asset, the whole of that counts instead.',
  none: 'none',
  'none.text': 'Every setting is as it is by default.',
  'none.title': 'Nothing was changed',
  settings: 'Settings of {section}',
  title: 'Settings',
  value: 'Now',
} as const;

type Key = keyof typeof en;

const de: Record<Key, string> = {
  about:
    'Wonach der Knoten, der antwortet, sich richtet. Abschnitte im Asset gelten für alle Knoten, die übrigen stehen in der Datei jedes Knotens.',
  change: 'Einstellungen ändern',
  changed: 'Nur was vom Vorgabewert abweicht',
  default: 'Vorgabe',
  differs: 'geändert',
  'from.asset': 'Für alle Knoten',
  'from.asset.text': 'Steht im Asset, das hier geändert wird.',
  'from.default': 'Vorgaben',
  'from.default.text': 'Niemand sagt etwas anderes.',
  'from.file': 'Aus der Datei des Knotens',
  'from.file.text':
    'Wird unter settings in der Datei des Knotens geändert. Sobald der Abschnitt im Asset steht, gilt stattdessen dieser ganz.',
  none: 'nichts',
  'none.text': 'Alle Einstellungen sind so, wie sie vorgegeben sind.',
  'none.title': 'Nichts wurde geändert',
  settings: 'Einstellungen zu {section}',
  title: 'Einstellungen',
  value: 'Jetzt',
};

export const useSettingsTexts = textsOf<Key>({ en, de });
