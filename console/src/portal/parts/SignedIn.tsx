/** Pages of those who are signed in; others are asked to sign in, and go on there. */
import { Button } from '@mantine/core';
import { IconLogin2 } from '@tabler/icons-react';
import { useLocation } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { usePortalTexts } from '../i18n';
import { Link } from '../links';
import { useUser } from '../visitor';

export function SignedIn({ children }: { children: (user: string) => ReactNode }) {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  const user = useUser();
  const to = useLocation({ select: (location) => location.pathname });
  if (user !== undefined) return <>{children(user)}</>;
  return (
    <Empty icon={IconLogin2} title={p('signIn.title')} text={p('signIn.text')}>
      <Button renderRoot={(props) => <Link to="/login" search={{ to }} {...props} />}>
        {t('login.submit')}
      </Button>
    </Empty>
  );
}
