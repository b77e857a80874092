/**
 * Lets in who is logged in. When a session ends while somebody works, the page stays as it is and the login lies over
 * it, so that nothing typed is lost.
 */
import { Center, Loader, Modal } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { setConnection, useConnection } from '../api/connection';
import { sessionQuery } from '../api/session';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';
import { ConnectionBar } from './ConnectionBar';
import { ConsumersElsewhere } from './ConsumersElsewhere';
import { ForgottenPassword } from './ForgottenPassword';
import { LoginForm } from './LoginForm';
import { MustChangePassword } from './MustChangePassword';
import { MustSetUpSecondFactor } from './MustSetUpSecondFactor';
import { NewPasswordByLink } from './NewPasswordByLink';
import { ProviderLogins } from './ProviderLogins';
import { useResetLink } from './resetLink';
import { SessionContext } from './session';
import { Welcome } from './Welcome';

export function SessionGate({ children }: { children: ReactNode }) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const session = useQuery(sessionQuery);
  const { expired } = useConnection();
  const [resetLink, leaveResetLink] = useResetLink();

  if (resetLink !== null) {
    return (
      <>
        <ConnectionBar />
        <Welcome title={t('password.must.title')}>
          <NewPasswordByLink token={resetLink} leave={leaveResetLink} />
        </Welcome>
      </>
    );
  }

  if (session.isPending) {
    return (
      <Center h="100vh">
        <Loader aria-label={t('loading')} />
      </Center>
    );
  }
  if (session.isError) {
    return (
      <>
        <ConnectionBar />
        <Welcome title={t('login.title')}>
          <ProblemBox error={session.error} retry={() => session.refetch()} />
        </Welcome>
      </>
    );
  }
  const who = session.data;
  if (who === null) {
    return (
      <>
        <ConnectionBar />
        <Welcome title={t('login.title')}>
          <ProviderLogins />
          <LoginForm />
          <ForgottenPassword />
        </Welcome>
      </>
    );
  }
  if (who.mustChangePassword) {
    return (
      <>
        <ConnectionBar />
        <Welcome title={t('password.must.title')}>
          <MustChangePassword user={who.user} />
        </Welcome>
      </>
    );
  }
  if (who.mustSetUpSecondFactor) {
    return (
      <>
        <ConnectionBar />
        <Welcome title={t('secondFactor.must.title')}>
          <MustSetUpSecondFactor user={who.user} />
        </Welcome>
      </>
    );
  }
  const leave = () => {
    queries.clear();
    setConnection({ expired: false });
    queries.setQueryData(sessionQuery.queryKey, null);
  };
  return (
    <SessionContext value={who}>
      <ConnectionBar />
      <ConsumersElsewhere>{children}</ConsumersElsewhere>
      <Modal
        opened={expired}
        onClose={leave}
        title={t('session.expired.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
        closeOnClickOutside={false}
        centered
      >
        <LoginForm user={who.user} hint={t('session.expired.text')} />
      </Modal>
    </SessionContext>
  );
}
