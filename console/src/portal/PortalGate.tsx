/**
 * Around every page of the portal: its colours, who is signed in, and what lies over everything when the connection is
 * lost, a session has ended, or a password or a second factor is needed first.
 */
import {
  Box,
  Center,
  createTheme,
  Loader,
  MantineProvider,
  mergeThemeOverrides,
  Modal,
  Paper,
  Title,
} from '@mantine/core';
import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';
import { setConnection, useConnection } from '../api/connection';
import { type Session, sessionQuery } from '../api/session';
import { theme, variables } from '../app/theme';
import { useTexts } from '../i18n';
import { ProblemBox } from '../parts/ProblemBox';
import { ToastProvider } from '../parts/Toasts';
import { ConnectionBar } from '../session/ConnectionBar';
import { LoginForm } from '../session/LoginForm';
import { MustChangePassword } from '../session/MustChangePassword';
import { MustSetUpSecondFactor } from '../session/MustSetUpSecondFactor';
import { NewPasswordByLink } from '../session/NewPasswordByLink';
import { useResetLink } from '../session/resetLink';
import { type Look, lookQuery } from './api/portal';
import { isColor, shades } from './brand';
import { VisitContext } from './visitor';

export function PortalGate({ children }: { children: ReactNode }) {
  const session = useQuery(sessionQuery);
  // A session that has ended is forgotten by the first answer; only then is the look asked for.
  const known = session.data !== undefined && !isHeldBack(session.data);
  const look = useQuery({ ...lookQuery, enabled: known });
  return (
    <Coloured look={look.data}>
      <ToastProvider>
        <ConnectionBar />
        <Inside session={session} look={look}>
          {children}
        </Inside>
      </ToastProvider>
    </Coloured>
  );
}

/** Whether something has to be done before anything else. */
function isHeldBack(session: Session | null | undefined): boolean {
  return session?.mustChangePassword === true || session?.mustSetUpSecondFactor === true;
}

function Coloured({ look, children }: { look: Look | undefined; children: ReactNode }) {
  const primary = look?.colors.primary;
  const branded = useMemo(() => {
    const larger = createTheme({
      headings: { sizes: { h1: { fontSize: '1.75rem' }, h2: { fontSize: '1.25rem' } } },
    });
    if (!isColor(primary)) return mergeThemeOverrides(theme, larger);
    const own = createTheme({
      colors: { brand: shades(primary) },
      primaryColor: 'brand',
      primaryShade: 7,
    });
    return mergeThemeOverrides(theme, larger, own);
  }, [primary]);
  return (
    <MantineProvider theme={branded} cssVariablesResolver={variables} defaultColorScheme="auto">
      {children}
    </MantineProvider>
  );
}

interface InsideProps {
  session: UseQueryResult<Session | null>;
  look: UseQueryResult<Look>;
  children: ReactNode;
}

function Inside({ session, look, children }: InsideProps) {
  const { t } = useTexts();
  const queries = useQueryClient();
  const { expired } = useConnection();
  const [resetLink, leaveResetLink] = useResetLink();
  const error = session.error ?? look.error;
  if (error !== null && (session.data === undefined || look.data === undefined)) {
    const again = () => (session.isError ? session.refetch() : look.refetch());
    return (
      <Box maw={560} mx="auto" p="xl">
        <ProblemBox error={error} retry={again} />
      </Box>
    );
  }
  if (resetLink !== null) {
    return (
      <First title={t('password.must.title')}>
        <NewPasswordByLink token={resetLink} leave={leaveResetLink} />
      </First>
    );
  }
  if (session.data && isHeldBack(session.data)) {
    const { user, mustChangePassword } = session.data;
    return (
      <First title={t(mustChangePassword ? 'password.must.title' : 'secondFactor.must.title')}>
        {mustChangePassword ? <MustChangePassword user={user} /> : <MustSetUpSecondFactor user={user} />}
      </First>
    );
  }
  if (session.data === undefined || look.data === undefined) {
    return (
      <Center h="100vh">
        <Loader aria-label={t('loading')} />
      </Center>
    );
  }
  const leave = () => {
    setConnection({ expired: false });
    queries.setQueryData(sessionQuery.queryKey, null);
    void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
  };
  return (
    <VisitContext value={{ session: session.data, look: look.data }}>
      {children}
      <Modal
        opened={expired && session.data !== null}
        onClose={leave}
        title={t('session.expired.title')}
        closeButtonProps={{ 'aria-label': t('close') }}
        closeOnClickOutside={false}
        centered
      >
        {session.data !== null && <LoginForm user={session.data.user} hint={t('session.expired.text')} />}
      </Modal>
    </VisitContext>
  );
}

/** What has to be done before anything else is there. */
function First({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Center mih="100vh" p="md">
      <Box component="main" w="100%" maw={440}>
        <Paper className="gw-panel" p="xl">
          <Title order={1} mb="lg">
            {title}
          </Title>
          {children}
        </Paper>
      </Box>
    </Center>
  );
}
