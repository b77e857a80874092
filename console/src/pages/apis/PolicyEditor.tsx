/**
 * Chooses a policy of a stage and fills in its form. The YAML that it will be is below, and what the gateway thinks of
 * the API with it: problems at their fields, conflicts with other policies as warnings.
 */
import {
  Alert,
  Box,
  Button,
  Collapse,
  Drawer,
  Group,
  Loader,
  Stack,
  Switch,
  Text,
  TextInput,
  UnstyledButton,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type Asset, replaceAsset, type Spec } from '../../api/assets';
import { type PolicyType, policyTypesQuery } from '../../api/policies';
import { asProblem } from '../../api/problem';
import { Words } from '../../forms/Description';
import { FormContext } from '../../forms/FormContext';
import { PolicyConfig } from '../../forms/PolicyFields';
import { withKey } from '../../forms/schema';
import { useTexts } from '../../i18n';
import { CommandLine } from '../../parts/CommandLine';
import { ProblemBox } from '../../parts/ProblemBox';
import { Warnings } from '../../parts/Warnings';
import { toYaml } from '../../parts/yaml';
import classes from './PolicyEditor.module.css';
import { text } from './spec';

interface Props {
  api: Asset;
  policy: Spec | undefined;
  stage: string;
  /** What it is a policy of. */
  where: string;
  /** The document with the policy, and where it is in there. */
  written: (policy: Spec) => { spec: Spec; path: string };
  onClose: () => void;
  onDone: (spec: Spec) => void;
}

export function PolicyEditor({ api, policy, stage, where, written, onClose, onDone }: Props) {
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
      title={type === undefined ? t('policies.choose') : t('policies.typeOf', { type, where })}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      {draft === undefined ? (
        <Choices
          types={types.filter((known) => known.stage === stage)}
          onChoose={(chosen) => setDraft({ type: chosen })}
        />
      ) : (
        <Draft
          api={api}
          draft={draft}
          known={types.find((one) => one.type === type)}
          written={written}
          onChange={setDraft}
          onBack={policy === undefined ? () => setDraft(undefined) : onClose}
          onDone={onDone}
        />
      )}
    </Drawer>
  );
}

interface DraftProps extends Pick<Props, 'api' | 'written' | 'onDone'> {
  draft: Spec;
  known: PolicyType | undefined;
  onChange: (draft: Spec) => void;
  onBack: () => void;
}

function Draft({ api, draft, known, written, onChange, onBack, onDone }: DraftProps) {
  const { t } = useTexts();
  const { spec, path } = written(draft);
  const [settled] = useDebouncedValue(JSON.stringify(spec), 400);
  const tried = useQuery({
    queryKey: ['try', 'policy', api.id, api.revision, settled],
    queryFn: () =>
      replaceAsset('apis', api.name, api.revision, JSON.parse(settled) as Spec, { dryRun: true }),
    retry: false,
    gcTime: 0,
  });
  const refusal = tried.isError ? asProblem(tried.error) : undefined;
  const here = (refusal?.errors ?? []).filter((problem) => problem.path.startsWith(path));
  const elsewhere = refusal !== undefined && here.length < Math.max(1, refusal.errors.length);
  const problems = here.map((problem) => ({ ...problem, path: problem.path.slice(path.length + 1) }));
  const own = problems.filter((problem) => problem.path === '' || problem.path === 'config');
  return (
    <Stack>
      <FormContext value={{ problems, suggestions: {}, readOnly: false }}>
        <PolicyConfig
          type={draft.type}
          value={draft.config}
          path="config"
          onChange={(config) => onChange(withKey(draft, 'config', config))}
        />
      </FormContext>
      <Group align="flex-end" gap="md">
        <TextInput
          label={t('policies.name')}
          description={t('policies.nameHelp')}
          value={text(draft.name) ?? ''}
          onChange={(event) => onChange(withKey(draft, 'name', event.currentTarget.value || undefined))}
          flex="1 1 220px"
        />
        <Switch
          label={t('policies.disabled')}
          checked={draft.disabled === true}
          onChange={(event) => onChange(withKey(draft, 'disabled', event.currentTarget.checked || undefined))}
          mb={8}
        />
      </Group>
      <Checked
        trying={tried.isPending || settled !== JSON.stringify(spec)}
        valid={tried.isSuccess}
        refusal={elsewhere ? refusal : undefined}
      />
      {own.map(({ message, help }) => (
        <Text key={message} size="sm" className="gw-bad" role="alert">
          {message}
          {help && ` – ${help}`}
        </Text>
      ))}
      <Warnings warnings={tried.data?.warnings ?? []} />
      {known !== undefined && <About known={known} />}
      <Box>
        <Text size="sm" fw={600} mb={4}>
          {t('policies.yaml')}
        </Text>
        <pre className={`gw-mono ${classes.yaml}`}>{toYaml([draft])}</pre>
      </Box>
      <Box>
        <Text size="sm" fw={600} mb={4}>
          {t('policies.cli')}
        </Text>
        <CommandLine text="gatewright apply -f apis.yaml" label={t('review.cli')} />
      </Box>
      <Group justify="flex-end">
        <Button variant="default" onClick={onBack}>
          {t('back')}
        </Button>
        <Button onClick={() => onDone(spec)}>{t('editor.review')}</Button>
      </Group>
    </Stack>
  );
}

interface CheckedProps {
  trying: boolean;
  valid: boolean;
  refusal: Error | undefined;
}

function Checked({ trying, valid, refusal }: CheckedProps) {
  const { t } = useTexts();
  if (refusal !== undefined && !trying) return <ProblemBox error={refusal} title={t('review.refused')} />;
  if (trying) {
    return (
      <Group gap="xs" role="status">
        <Loader size="xs" />
        <Text size="sm">{t('review.trying')}</Text>
      </Group>
    );
  }
  if (!valid) return null;
  return (
    <Alert color="teal" variant="light" p="xs" icon={<IconCircleCheck size={18} />} role="status">
      {t('policies.valid')}
    </Alert>
  );
}

/** What there is to know before one uses it. */
function About({ known }: { known: PolicyType }) {
  const { t } = useTexts();
  const [opened, setOpened] = useState(false);
  return (
    <Box>
      <Button size="compact-sm" variant="subtle" aria-expanded={opened} onClick={() => setOpened(!opened)}>
        {t('policies.aboutType', { type: known.type })}
      </Button>
      <Collapse expanded={opened}>
        <Stack gap="xs" mt="xs">
          {known.posture !== '' && <Text size="sm">{known.posture}</Text>}
          {known.excludes.length > 0 && (
            <Text size="sm">{t('policies.excludes', { types: known.excludes.join(', ') })}</Text>
          )}
          {known.needsApplication && <Text size="sm">{t('policies.needsApplication')}</Text>}
          <Text size="sm">{t(known.repeatable ? 'policies.repeatable' : 'policies.once')}</Text>
          {known.example.trim() !== '' && (
            <pre className={`gw-mono ${classes.yaml}`}>{known.example.trim()}</pre>
          )}
        </Stack>
      </Collapse>
    </Box>
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
