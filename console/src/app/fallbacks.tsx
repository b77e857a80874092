/** What is shown instead of a page: while it loads, when there is none, when it failed. */
import { Button, Center, Loader } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTexts } from '../i18n';
import { Empty } from '../parts/Empty';
import { ProblemBox } from '../parts/ProblemBox';

export function PageLoader() {
  const { t } = useTexts();
  return (
    <Center mih={240}>
      <Loader aria-label={t('loading')} />
    </Center>
  );
}

export function NotFound() {
  const { t } = useTexts();
  return (
    <Empty icon={IconMapOff} title={t('notFound.title')} text={t('notFound.text')}>
      <Button renderRoot={(props) => <Link to="/apis" {...props} />}>{t('notFound.home')}</Button>
    </Empty>
  );
}

export function Failed({ error, reset }: { error: unknown; reset: () => void }) {
  return <ProblemBox error={error} retry={reset} />;
}
