/** The picture of an API: shown, given, changed, taken away. */
import { Button, FileButton, Group, Image, Stack, Text, ThemeIcon } from '@mantine/core';
import { IconApi } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { setIcon } from '../../api/apis';
import type { Asset } from '../../api/assets';
import { useTexts } from '../../i18n';
import { useMayChange } from '../../parts/kinds';
import { dataUrlOf, PICTURES } from '../../parts/picture';
import { ProblemBox } from '../../parts/ProblemBox';
import { useToast } from '../../parts/Toasts';
import { text } from './spec';
import { useApiTexts } from './texts';

const LARGEST = 100 * 1024;

/** The picture, where there is one. */
export function ApiPicture({ icon, size, name = '' }: { icon: unknown; size: number; name?: string }) {
  const source = text(icon);
  if (source === undefined) return null;
  return <Image src={source} alt={name} w={size} h={size} radius="md" fit="contain" flex="none" />;
}

export function ApiIcon({ api }: { api: Asset }) {
  const { t } = useTexts();
  const { p } = useApiTexts();
  const may = useMayChange('apis');
  const queries = useQueryClient();
  const toast = useToast();
  const [tooLarge, setTooLarge] = useState(false);
  const has = text(api.spec.icon) !== undefined;
  const change = useMutation({
    mutationFn: async (file: File | null) => setIcon(api, file === null ? undefined : await dataUrlOf(file)),
    onSuccess: async ({ name, revision }) => {
      toast(t('saved', { name, revision }));
      await queries.invalidateQueries({ queryKey: ['assets'] });
    },
  });
  const take = (file: File | null) => {
    if (file === null) return;
    setTooLarge(file.size > LARGEST);
    if (file.size <= LARGEST) change.mutate(file);
  };
  if (!has && !may) return null;
  return (
    <Stack gap="xs">
      <Group gap="sm" wrap="nowrap">
        {has ? (
          <ApiPicture icon={api.spec.icon} size={56} name={p('icon.of', { name: api.name })} />
        ) : (
          <ThemeIcon size={56} radius="md" variant="light" color="gray" aria-hidden>
            <IconApi size={28} stroke={1.6} />
          </ThemeIcon>
        )}
        {may && (
          <Group gap={6}>
            <FileButton accept={PICTURES} onChange={take} inputProps={{ 'aria-label': p('icon.help') }}>
              {(props) => (
                <Button {...props} size="compact-sm" variant="default" loading={change.isPending}>
                  {p(has ? 'icon.change' : 'icon.add')}
                </Button>
              )}
            </FileButton>
            {has && (
              <Button
                size="compact-sm"
                variant="subtle"
                color="gray"
                onClick={() => change.mutate(null)}
                disabled={change.isPending}
              >
                {p('icon.remove')}
              </Button>
            )}
          </Group>
        )}
      </Group>
      {may && !has && (
        <Text size="sm" c="dimmed">
          {p('icon.help')}
        </Text>
      )}
      {tooLarge && (
        <Text size="sm" className="gw-bad" role="alert">
          {p('icon.tooLarge')}
        </Text>
      )}
      {change.isError && <ProblemBox error={change.error} />}
    </Stack>
  );
}
