/** Texts of what is known about an API: its picture, its properties, its applications. */
import { textsOf } from '../../i18n/catalogue';

const en = {
  'applications.about':
    'Applications that name this API, or have a subscription to it. They may call all of its versions.',
  'applications.elsewhere': 'Belongs to another team',
  'applications.named': 'It names the API',
  'applications.none.text':
    'An application may call this API as soon as it names it, or has a subscription by a plan that the API offers.',
  'applications.none.title': 'No application may call this API yet',
  'applications.plan': 'Plan {plan}',
  'applications.remove': 'Take the API away',
  'applications.removed': '{name} may not call the API any more',
  'applications.removeOne': 'Take the API away from {name}',
  'applications.removeText':
    '{name} may call no version of this API any more: it is taken out of what the application names, and its subscription ends.',
  groups: 'Groups',
  'icon.add': 'Add an icon',
  'icon.change': 'Change icon',
  'icon.help': 'PNG, JPEG, WebP or SVG, up to 100 KiB.',
  'icon.of': 'Icon of {name}',
  'icon.remove': 'Remove icon',
  'icon.tooLarge': 'This file is larger than 100 KiB.',
  maturity: 'Maturity',
  owner: 'Owner',
} as const;

type Key = keyof typeof en;

const de: Record<Key, string> = {
  'applications.about':
    'Anwendungen, die diese API nennen oder ein Abonnement dafür haben. Sie dürfen alle Versionen aufrufen.',
  'applications.elsewhere': 'Gehört einem anderen Team',
  'applications.named': 'Sie nennt die API',
  'applications.none.text':
    'Eine Anwendung darf diese API aufrufen, sobald sie sie nennt oder ein Abonnement nach einem Plan hat, den die API anbietet.',
  'applications.none.title': 'Noch darf keine Anwendung diese API aufrufen',
  'applications.plan': 'Plan {plan}',
  'applications.remove': 'API wegnehmen',
  'applications.removed': '{name} darf die API nicht mehr aufrufen',
  'applications.removeOne': '{name} die API wegnehmen',
  'applications.removeText':
    '{name} darf keine Version dieser API mehr aufrufen: Sie fällt aus dem, was die Anwendung nennt, und ihr Abonnement endet.',
  groups: 'Gruppen',
  'icon.add': 'Symbol hinzufügen',
  'icon.change': 'Symbol ändern',
  'icon.help': 'PNG, JPEG, WebP oder SVG, bis 100 KiB.',
  'icon.of': 'Symbol von {name}',
  'icon.remove': 'Symbol entfernen',
  'icon.tooLarge': 'Diese Datei ist größer als 100 KiB.',
  maturity: 'Reife',
  owner: 'Verantwortlich',
};

export const useApiTexts = textsOf<Key>({ en, de });
