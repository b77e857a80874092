/** Deletes an asset after saying what that means; what depends on it is named. */
import { Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Asset, deleteAsset } from '../api/assets';
import { asProblem } from '../api/problem';
import { useTexts } from '../i18n';
import { useKindTexts } from './kinds';
import { ProblemBox } from './ProblemBox';
import { useToast } from './Toasts';

interface Props {
  list: string;
  asset: Asset;
  onClose: () => void;
  onDeleted: () => void;
}

export function DeleteAsset({ list, asset, onClose, onDeleted }: Props) {
  const { t } = useTexts();
  const { one } = useKindTexts(list);
  const queries = useQueryClient();
  const toast = useToast();
  const [typed, setTyped] = useState('');
  const tried = useQuery({
    queryKey: ['try', 'delete', asset.id, asset.revision],
    queryFn: async () => {
      await deleteAsset(list, asset.name, asset.revision, { dryRun: true });
      return true;
    },
    retry: false,
    staleTime: 0,
    gcTime: 0,
  });
  const remove = useMutation({
    mutationFn: () => deleteAsset(list, asset.name, asset.revision, {}),
    onSuccess: async () => {
      toast(t('deleted', { name: asset.name }));
      onDeleted();
      await queries.invalidateQueries({ queryKey: ['assets'] });
    },
  });
  const refusal = tried.isError ? asProblem(tried.error) : undefined;
  const dependents = refusal?.code === 'invalid' ? refusal.errors : [];
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('delete.title', { kind: one, name: asset.name })}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        {dependents.length > 0 ? (
          <>
            <Text>{t('delete.needed', { name: asset.name })}</Text>
            <List>
              {dependents.map((found) => (
                <List.Item key={`${found.file} ${found.path}`}>
                  <b>{found.file ?? ''}</b> <span className="gw-mono">{found.path}</span>
                </List.Item>
              ))}
            </List>
            <Text size="sm" c="dimmed">
              {t('delete.first')}
            </Text>
          </>
        ) : (
          <>
            {refusal !== undefined && <ProblemBox error={refusal} />}
            <Text>{t(list === 'apis' ? 'delete.api' : 'delete.text')}</Text>
            <TextInput
              label={t('delete.type', { name: asset.name })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              autoComplete="off"
              data-autofocus
            />
            {remove.isError && <ProblemBox error={remove.error} />}
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('back')}
          </Button>
          {dependents.length === 0 && (
            <Button
              color="red"
              onClick={() => remove.mutate()}
              loading={remove.isPending}
              disabled={typed !== asset.name || !tried.isSuccess}
            >
              {t('delete')}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
