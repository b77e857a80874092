import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { useTexts } from '../../i18n';
import { Empty } from '../../parts/Empty';
import { usePortalTexts } from '../i18n';
import { Link } from '../links';

export function NotFound() {
  const { t } = useTexts();
  const { p } = usePortalTexts();
  return (
    <Empty icon={IconMapOff} title={t('notFound.title')} text={t('notFound.text')}>
      <Button renderRoot={(props) => <Link to="/apis" {...props} />}>{p('home.browse')}</Button>
    </Empty>
  );
}
