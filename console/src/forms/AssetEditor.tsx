/** An asset as a form and as YAML, side by side: what one says, the other shows. Problems are where they belong. */
import { Box, Button, Group, Loader, SegmentedControl, Skeleton, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useBlocker } from '@tanstack/react-router';
import { type ComponentType, lazy, Suspense, useMemo, useState } from 'react';
import { type Asset, createAsset, replaceAsset, type Spec } from '../api/assets';
import { asProblem, isStale } from '../api/problem';
import { useTexts } from '../i18n';
import { Code } from '../parts/code';
import { useKind } from '../parts/kinds';
import { ProblemBox } from '../parts/ProblemBox';
import { ReviewChange } from '../parts/ReviewChange';
import { fromYaml, marksOf, toYaml } from '../parts/yaml';
import classes from './AssetEditor.module.css';
import { FormContext } from './FormContext';
import { SchemaForm } from './SchemaForm';
import { type Field, rootField } from './schema';
import { SUGGESTIONS } from './suggestions';

/** Kinds of which a form of their own says more than their schema. */
const OWN_FORMS: Record<
  string,
  ComponentType<{ of: Field; value: Spec; onChange: (value: Spec) => void }> | undefined
> = {
  plans: lazy(() => import('./plan/PlanForm')),
};

interface Props {
  list: string;
  /** What is changed; `null` makes a new one. */
  base: Asset | null;
  onSaved: (asset: Asset) => void;
}

/** Where what the form and the YAML say differs from what was, they are the same. */
interface Draft {
  spec: Spec;
  yaml: string;
}

export function AssetEditor({ list, base: began, onSaved }: Props) {
  const { t } = useTexts();
  const kind = useKind(list);
  const Own = OWN_FORMS[list];
  const [base, setBase] = useState(began);
  const [draft, setDraft] = useState<Draft>(() => draftOf(began?.spec ?? {}));
  const [shown, setShown] = useState<'form' | 'yaml'>('form');
  const [reviewing, setReviewing] = useState(false);
  const [saved, setSaved] = useState(false);
  const read = useMemo(() => fromYaml(draft.yaml, t('editor.object')), [draft.yaml, t]);
  const written = JSON.stringify(draft.spec);
  const changed = written !== JSON.stringify(base?.spec ?? {});
  const [settled] = useDebouncedValue(written, 400);
  const tried = useQuery({
    queryKey: ['try', 'draft', list, base?.id, base?.revision, settled],
    queryFn: () => {
      const spec = JSON.parse(settled) as Spec;
      return base === null
        ? createAsset(list, spec, { dryRun: true })
        : replaceAsset(list, base.name, base.revision, spec, { dryRun: true });
    },
    enabled: changed && read.ok && settled !== '{}',
    retry: false,
    gcTime: 0,
    placeholderData: (before) => before,
  });
  useBlocker({
    shouldBlockFn: () => changed && !saved && !window.confirm(t('editor.leave')),
    enableBeforeUnload: () => changed && !saved,
    disabled: !changed || saved,
  });

  const refusal = changed && tried.error !== null ? asProblem(tried.error) : undefined;
  const problems = refusal?.errors ?? [];
  const marks = read.ok ? marksOf(draft.yaml, problems) : read.marks;
  const cx = { problems, suggestions: SUGGESTIONS[list] ?? {}, readOnly: false };
  const write = (yaml: string) => {
    const now = fromYaml(yaml, '');
    setDraft(now.ok ? { spec: now.value, yaml } : { ...draft, yaml });
  };
  if (kind === undefined) return null;
  return (
    <>
      <Group justify="space-between" mb="md" className={classes.bar ?? ''}>
        <State
          changed={changed}
          broken={!read.ok}
          trying={tried.isFetching || settled !== written}
          problems={problems.length}
          refused={refusal !== undefined}
        />
        <Group gap="xs">
          <SegmentedControl
            className={classes.switch ?? ''}
            value={shown}
            onChange={(value) => setShown(value as 'form' | 'yaml')}
            aria-label={t('editor.view')}
            data={[
              { value: 'form', label: t('editor.form') },
              { value: 'yaml', label: 'YAML' },
            ]}
          />
          {changed && base !== null && (
            <Button variant="default" onClick={() => setDraft(draftOf(base.spec))}>
              {t('editor.reset')}
            </Button>
          )}
          <Button onClick={() => setReviewing(true)} disabled={!changed || !read.ok}>
            {t('editor.review')}
          </Button>
        </Group>
      </Group>
      {refusal !== undefined && problems.length === 0 && !isStale(refusal) && <ProblemBox error={refusal} />}
      <div className={classes.panes}>
        <Box className={shown === 'form' ? '' : (classes.hidden ?? '')} miw={0}>
          <Box className="gw-panel" p="lg">
            <FormContext value={cx}>
              {Own === undefined ? (
                <SchemaForm
                  of={rootField(kind.schema)}
                  value={draft.spec}
                  path=""
                  onChange={(spec) => setDraft(draftOf(spec))}
                />
              ) : (
                <Suspense fallback={<Skeleton height={320} />}>
                  <Own
                    of={rootField(kind.schema)}
                    value={draft.spec}
                    onChange={(spec) => setDraft(draftOf(spec))}
                  />
                </Suspense>
              )}
            </FormContext>
          </Box>
        </Box>
        <Box className={`${classes.yaml} ${shown === 'yaml' ? '' : classes.hidden}`} miw={0}>
          <Code
            value={draft.yaml}
            label="YAML"
            language="yaml"
            onChange={write}
            marks={marks}
            height="calc(100vh - 220px)"
          />
        </Box>
      </div>
      {reviewing && (
        <ReviewChange
          list={list}
          base={base}
          spec={draft.spec}
          onClose={() => setReviewing(false)}
          onSaved={(asset) => {
            setSaved(true);
            setReviewing(false);
            setBase(asset);
            setDraft(draftOf(asset.spec));
            onSaved(asset);
          }}
          onTakeTheirs={(theirs) => {
            setReviewing(false);
            setBase(theirs);
            setDraft(draftOf(theirs.spec));
          }}
        />
      )}
    </>
  );
}

function draftOf(spec: Spec): Draft {
  return { spec, yaml: Object.keys(spec).length === 0 ? '' : toYaml(spec) };
}

interface StateProps {
  changed: boolean;
  broken: boolean;
  trying: boolean;
  problems: number;
  refused: boolean;
}

function State({ changed, broken, trying, problems, refused }: StateProps) {
  const { t, count } = useTexts();
  const [className, text] = broken
    ? ['gw-bad', t('form.brokenYaml')]
    : !changed
      ? ['', t('editor.unchanged')]
      : problems > 0
        ? ['gw-bad', count('editor.problems', problems)]
        : refused
          ? ['gw-bad', t('review.refused')]
          : trying
            ? ['', t('review.trying')]
            : ['gw-good', t('review.valid')];
  return (
    <Group gap="xs" role="status">
      {trying && changed && !broken && <Loader size="xs" />}
      <Text size="sm" fw={600} className={className} c={className === '' ? 'dimmed' : undefined}>
        {text}
      </Text>
    </Group>
  );
}
