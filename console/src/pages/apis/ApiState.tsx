import { Badge } from '@mantine/core';
import { useTexts } from '../../i18n';

/** Whether an API is served: a word with a dot, so that colour alone says nothing. */
export function ApiState({ inactive }: { inactive: boolean }) {
  const { t } = useTexts();
  return (
    <Badge variant="dot" color={inactive ? 'gray' : 'green'} tt="none" size="md">
      {t(inactive ? 'api.inactive' : 'api.active')}
    </Badge>
  );
}
