/** Texts about initial access tokens. */
import { textsOf } from '../../i18n/catalogue';

const en = {
  about:
    'With one, a program registers itself as a client of the internal authorization server, without anybody else doing anything.',
  delete: 'Take {name} away',
  'delete.action': 'Take it away',
  'delete.done': '{name} was taken away',
  'delete.text': 'Nobody can register with it any more. Clients that were registered with it stay.',
  days: '{days} days',
  forever: 'does not end',
  expires: 'ends {when}',
  'form.clients': 'Clients that may register with it',
  'form.create': 'Create',
  'form.lasts': 'Valid for',
  'form.lasts.forever': 'Until it is taken away',
  'form.name': 'Name',
  'form.nameHelp': 'What it is for, such as the partner who gets it.',
  made: 'made by {author} {when}',
  new: 'New initial access token',
  none: 'There is none.',
  once: 'Copy the token now: it is not shown again',
  'state.over': 'Over',
  'state.usable': 'Usable',
  text: 'Initial access token',
  title: 'Initial access tokens',
  used: '{used} of {uses} clients registered',
} as const;

type Key = keyof typeof en;

const de: Record<Key, string> = {
  about:
    'Mit einem trägt sich ein Programm selbst als Client des eigenen Autorisierungsservers ein, ohne dass sonst jemand etwas tut.',
  delete: '{name} entfernen',
  'delete.action': 'Entfernen',
  'delete.done': '{name} wurde entfernt',
  'delete.text':
    'Damit kann sich niemand mehr eintragen. Clients, die sich damit eingetragen haben, bleiben.',
  days: '{days} Tage',
  forever: 'endet nicht',
  expires: 'endet {when}',
  'form.clients': 'Clients, die sich damit eintragen dürfen',
  'form.create': 'Anlegen',
  'form.lasts': 'Gültig für',
  'form.lasts.forever': 'Bis es entfernt wird',
  'form.name': 'Name',
  'form.nameHelp': 'Wofür es ist, zum Beispiel der Partner, der es bekommt.',
  made: 'angelegt von {author} {when}',
  new: 'Neues Initial Access Token',
  none: 'Es gibt keines.',
  once: 'Das Token jetzt kopieren: Es wird nicht noch einmal gezeigt',
  'state.over': 'Vorbei',
  'state.usable': 'Nutzbar',
  text: 'Initial Access Token',
  title: 'Initial Access Tokens',
  used: '{used} von {uses} Clients eingetragen',
};

export const useInitialTexts = textsOf<Key>({ en, de });
