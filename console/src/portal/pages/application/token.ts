/** How a client gets a token from a terminal. */
import { quoted } from '../../../parts/shell';
import type { OauthClient, Offered } from '../../api/portal';

/** Without the secret, which curl asks for: it would stay in the history of the shell. */
export function curlLine({ id, scopes }: Pick<OauthClient, 'id' | 'scopes'>, { tokenUrl }: Offered): string {
  const scope = scopes.length === 0 ? '' : ` -d ${quoted(`scope=${scopes.join(' ')}`)}`;
  return `curl -u ${id} -d grant_type=client_credentials${scope} ${quoted(tokenUrl)}`;
}
