/** Signing in: the same session as that of the console. */
import { Anchor, Paper, Text } from '@mantine/core';
import { useEffect } from 'react';
import { ForgottenPassword } from '../../session/ForgottenPassword';
import { LoginForm } from '../../session/LoginForm';
import { ProviderLogins } from '../../session/ProviderLogins';
import { usePortalTexts } from '../i18n';
import { Link, useAddress, useGo } from '../links';
import { Head, Page } from '../parts/Page';
import { useLook, useUser } from '../visitor';

/** Where to go on: a page of the portal and nothing else. */
function onward(to: string | undefined): string {
  return to !== undefined && /^\/[^/\\]/.test(to) ? to : '/';
}

export function LoginPage() {
  const { p } = usePortalTexts();
  const { search } = useAddress<object, { to?: string }>();
  const { signUp } = useLook();
  const user = useUser();
  const go = useGo();
  useEffect(() => {
    if (user !== undefined) go({ to: onward(search.to), replace: true });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once somebody is signed in
  }, [user]);
  return (
    <Page width="narrow">
      <Head title={p('login.title')} about={p('login.about')} />
      <Paper className="gw-panel" p="xl">
        <ProviderLogins />
        <LoginForm />
        <ForgottenPassword />
      </Paper>
      {signUp !== 'off' && (
        <Text size="sm" ta="center" mt="lg">
          {p('login.new')}{' '}
          <Anchor inherit underline="always" renderRoot={(props) => <Link to="/signup" {...props} />}>
            {p('signUp')}
          </Anchor>
        </Text>
      )}
    </Page>
  );
}
