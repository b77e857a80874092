/** Texts of the page about tokens of the internal authorization server. */
import { textsOf } from '../../i18n/catalogue';

const en = {
  about:
    'What applications got from the internal authorization server, newest first. The tokens themselves are never shown.',
  'all.application': 'Revoke all of application {name}',
  'all.client': 'Revoke all of client {name}',
  'all.user': 'Revoke all of user {name}',
  application: 'Application',
  cleanUp: 'Delete expired tokens',
  'cleanUp.done.one': '{count} expired token was deleted',
  'cleanUp.done.other': '{count} expired tokens were deleted',
  client: 'Client',
  ended: 'Show those that ended, too',
  expires: 'ends {when}',
  issued: 'issued {when}',
  'kind.access': 'Access token',
  'kind.refresh': 'Refresh token',
  more: 'Older',
  moreFor: 'More for this token of {name}',
  'none.filtered': 'No token matches',
  'none.filteredText': 'Names are compared to the letter.',
  'none.text': 'As soon as a client gets one, it is found here.',
  'none.title': 'No active tokens',
  revoke: 'Revoke',
  'revoke.allText':
    'From now on these tokens are refused. Whoever still holds the grant, such as the secret of a client, can get new ones.',
  'revoke.done.one': '{count} token was revoked',
  'revoke.done.other': '{count} tokens were revoked',
  'revoke.one': 'Revoke this token of {name}',
  'revoke.text': 'From now on this token is refused. Others that {name} has stay as they are.',
  'server.none.text':
    'The internal authorization server issues tokens once settings.authorizationServer says where it is found.',
  'server.none.title': 'There is no internal authorization server',
  'state.expired': 'Expired',
  'state.live': 'Active',
  'state.revoked': 'Revoked',
  'state.used': 'Used',
  user: 'User',
} as const;

type Key = keyof typeof en;

const de: Record<Key, string> = {
  about:
    'Was Anwendungen vom eigenen Autorisierungsserver bekommen haben, das Neueste zuerst. Die Token selbst erfährt niemand.',
  'all.application': 'Alle der Anwendung {name} widerrufen',
  'all.client': 'Alle des Clients {name} widerrufen',
  'all.user': 'Alle des Benutzers {name} widerrufen',
  application: 'Anwendung',
  cleanUp: 'Abgelaufene Token löschen',
  'cleanUp.done.one': '{count} abgelaufenes Token wurde gelöscht',
  'cleanUp.done.other': '{count} abgelaufene Token wurden gelöscht',
  client: 'Client',
  ended: 'Auch beendete zeigen',
  expires: 'endet {when}',
  issued: 'ausgestellt {when}',
  'kind.access': 'Access-Token',
  'kind.refresh': 'Refresh-Token',
  more: 'Ältere',
  moreFor: 'Mehr zu diesem Token von {name}',
  'none.filtered': 'Kein Token passt',
  'none.filteredText': 'Namen werden buchstabengetreu verglichen.',
  'none.text': 'Sobald ein Client eines bekommt, steht es hier.',
  'none.title': 'Keine gültigen Token',
  revoke: 'Widerrufen',
  'revoke.allText':
    'Ab jetzt werden diese Token abgelehnt. Wer noch das Recht dazu hat, etwa das Geheimnis eines Clients, kann neue bekommen.',
  'revoke.done.one': '{count} Token wurde widerrufen',
  'revoke.done.other': '{count} Token wurden widerrufen',
  'revoke.one': 'Dieses Token von {name} widerrufen',
  'revoke.text': 'Ab jetzt wird dieses Token abgelehnt. Andere, die {name} hat, bleiben, wie sie sind.',
  'server.none.text':
    'Der eigene Autorisierungsserver stellt Token aus, sobald settings.authorizationServer sagt, wo er zu finden ist.',
  'server.none.title': 'Es gibt keinen eigenen Autorisierungsserver',
  'state.expired': 'Abgelaufen',
  'state.live': 'Gültig',
  'state.revoked': 'Widerrufen',
  'state.used': 'Verbraucht',
  user: 'Benutzer',
};

export const useTokenTexts = textsOf<Key>({ en, de });
