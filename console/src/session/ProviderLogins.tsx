/** Buttons that lead to a provider elsewhere, and what went wrong when somebody has come back from one. */
import { Button, Divider, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { providerLogin, providersQuery } from '../api/session';
import { type TextKey, useTexts } from '../i18n';

const ERRORS: Record<string, TextKey> = {
  login_provider_away: 'login.provider.away',
  login_state_unknown: 'login.provider.again',
  login_not_allowed: 'login.provider.notAllowed',
  login_refused: 'login.provider.refused',
  login_response_expired: 'login.provider.again',
  login_response_not_yet_valid: 'login.provider.clocks',
  login_response_replayed: 'login.provider.again',
  login_unsolicited: 'login.provider.unsolicited',
};

/** Where to come back to: this page, without what went wrong the last time. */
function here(): string {
  const query = new URLSearchParams(window.location.search);
  query.delete('loginError');
  const text = query.toString();
  return window.location.pathname + (text === '' ? '' : `?${text}`);
}

export function ProviderLogins() {
  const { t } = useTexts();
  // Without an answer there is the login by password.
  const { data: providers = [] } = useQuery(providersQuery);
  const error = new URLSearchParams(window.location.search).get('loginError');
  if (providers.length === 0) return null;
  return (
    <Stack mb="md">
      {error !== null && (
        <Text size="sm" className="gw-warn" role="alert">
          {t(ERRORS[error] ?? 'login.provider.failed')}
        </Text>
      )}
      {providers.map(({ protocol, name, label }) => (
        <Button
          key={name}
          component="a"
          href={providerLogin(protocol, name, here())}
          variant="default"
          fullWidth
        >
          {t('login.provider', { label })}
        </Button>
      ))}
      <Divider label={t('login.or')} />
    </Stack>
  );
}
