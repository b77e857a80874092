/** Chooses a policy of a stage and fills in its form; the YAML that it will be is beside it. */
import { Box, Button, Drawer, Group, Stack, Text, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Spec } from '../../api/assets';
import { type PolicyType, policyTypesQuery } from '../../api/policies';
import { Words } from '../../forms/Description';
import { PolicyConfig } from '../../forms/PolicyFields';
import { withKey } from '../../forms/schema';
import { useTexts } from '../../i18n';
import { toYaml } from '../../parts/yaml';
import classes from './PolicyEditor.module.css';
import { text } from './spec';

interface Props {
  policy: Spec | undefined;
  stage: string;
  onClose: () => void;
  onDone: (policy: Spec) => void;
}

export function PolicyEditor({ policy, stage, onClose, onDone }: Props) {
  const { t } = useTexts();
  const { data: types = [] } = useQuery(policyTypesQuery);
  const [draft, setDraft] = useState<Spec | undefined>(policy);
  const type = text(draft?.type);
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={type ?? t('policies.choose')}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      {draft === undefined ? (
        <Choices
          types={types.filter((known) => known.stage === stage)}
          onChoose={(chosen) => setDraft({ type: chosen })}
        />
      ) : (
        <Stack>
          <PolicyConfig
            type={draft.type}
            value={draft.config}
            path="config"
            onChange={(config) => setDraft(withKey(draft, 'config', config))}
          />
          <Box>
            <Text size="sm" fw={600} mb={4}>
              {t('policies.yaml')}
            </Text>
            <pre className={`gw-mono ${classes.yaml}`}>{toYaml([draft])}</pre>
          </Box>
          <Group justify="flex-end">
            <Button variant="default" onClick={policy === undefined ? () => setDraft(undefined) : onClose}>
              {t('back')}
            </Button>
            <Button onClick={() => onDone(draft)}>{t('editor.review')}</Button>
          </Group>
        </Stack>
      )}
    </Drawer>
  );
}

function Choices({ types, onChoose }: { types: PolicyType[]; onChoose: (type: string) => void }) {
  return (
    <Stack gap="xs">
      {types.map(({ type, schema }) => (
        <UnstyledButton key={type} className={classes.choice ?? ''} onClick={() => onChoose(type)}>
          <Text fw={600}>{type}</Text>
          <Text size="sm" c="dimmed">
            <Words text={text(schema.description)?.split('\n')[0] ?? ''} />
          </Text>
        </UnstyledButton>
      ))}
    </Stack>
  );
}
