/** How the portal looks, with what it will look like beside. */
import {
  Anchor,
  Box,
  Button,
  FileInput,
  Group,
  Select,
  SimpleGrid,
  Skeleton,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Asset, assetQuery, type Spec } from '../../api/assets';
import { Problem } from '../../api/problem';
import { dataUrlOf, PICTURES } from '../../parts/picture';
import { ProblemBox } from '../../parts/ProblemBox';
import { ReviewChange } from '../../parts/ReviewChange';
import { isObject, text, texts as listOf } from '../apis/spec';
import { isColor } from '../../portal/brand';
import { LookPreview } from './LookPreview';
import { usePortalAdminTexts } from './texts';

const LARGEST = 256 * 1024;
const TEXTS = ['headline', 'welcome', 'footer'] as const;

export function LookTab() {
  const portal = useQuery({ ...assetQuery('portals', 'portal'), retry: false });
  // Nobody has said yet how it looks.
  const isNew = portal.error instanceof Problem && portal.error.status === 404;
  if (portal.isPending) return <Skeleton height={320} />;
  if (portal.isError && !isNew) return <ProblemBox error={portal.error} retry={() => portal.refetch()} />;
  const base = portal.data ?? null;
  return <LookForm key={base?.revision ?? 0} base={base} />;
}

function withText(spec: Spec, field: string, name: string, value: string): Spec {
  const { [name]: _, ...rest } = isObject(spec[field]) ? spec[field] : {};
  const texts = value === '' ? rest : { ...rest, [name]: value };
  return { ...spec, [field]: texts };
}

function withOne(spec: Spec, name: string, value: unknown): Spec {
  const { [name]: _, ...rest } = spec;
  return value === undefined || value === '' ? rest : { ...rest, [name]: value };
}

function LookForm({ base }: { base: Asset | null }) {
  const { p } = usePortalAdminTexts();
  const queries = useQueryClient();
  const [spec, setSpec] = useState<Spec>(base?.spec ?? {});
  const [reviewing, setReviewing] = useState(false);
  const [tooLarge, setTooLarge] = useState(false);
  const texts = isObject(spec.texts) ? spec.texts : {};
  const colors = isObject(spec.colors) ? spec.colors : {};
  const changed = JSON.stringify(spec) !== JSON.stringify(base?.spec ?? {});
  const take = async (file: File | null) => {
    setTooLarge(file !== null && file.size > LARGEST);
    if (file === null || file.size > LARGEST) return;
    const logo = await dataUrlOf(file);
    setSpec((now) => withOne(now, 'logo', logo));
  };
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="xl">
      <Stack className="gw-panel" p="lg">
        <TextInput
          label={p('look.title')}
          value={text(spec.title) ?? ''}
          onChange={(event) => setSpec(withOne(spec, 'title', event.currentTarget.value))}
        />
        <Group align="flex-start">
          <TextInput
            flex="1 1 180px"
            label={p('look.color')}
            description={p('look.colorHelp')}
            placeholder="#1f6feb"
            value={text(colors.primary) ?? ''}
            onChange={(event) =>
              setSpec(withText(spec, 'colors', 'primary', event.currentTarget.value.trim()))
            }
            rightSection={
              <input
                type="color"
                aria-label={p('look.colorPick')}
                value={isColor(text(colors.primary)) ? text(colors.primary) : '#3b44bf'}
                onChange={(event) => setSpec(withText(spec, 'colors', 'primary', event.currentTarget.value))}
                style={{ width: 24, height: 24, padding: 0, border: 0, background: 'none' }}
              />
            }
          />
          <FileInput
            flex="1 1 180px"
            label={p('look.logo')}
            description={p('look.logoHelp')}
            accept={PICTURES}
            onChange={take}
            error={tooLarge ? p('look.logoTooLarge') : undefined}
          />
        </Group>
        {text(spec.logo) !== undefined && (
          <Group>
            <Button size="xs" variant="default" onClick={() => setSpec(withOne(spec, 'logo', undefined))}>
              {p('look.logoRemove')}
            </Button>
          </Group>
        )}
        {TEXTS.map((name) => (
          <Textarea
            key={name}
            label={p(`look.${name}`)}
            description={name === 'headline' ? undefined : p('look.markdown')}
            autosize
            minRows={name === 'welcome' ? 3 : 1}
            value={text(texts[name]) ?? ''}
            onChange={(event) => setSpec(withText(spec, 'texts', name, event.currentTarget.value))}
          />
        ))}
        <TextInput
          label={p('look.gateway')}
          description={p('look.gatewayHelp')}
          value={text(spec.gatewayUrl) ?? ''}
          onChange={(event) => setSpec(withOne(spec, 'gatewayUrl', event.currentTarget.value.trim()))}
        />
        <Select
          label={p('look.signUp')}
          value={text(spec.signUp) ?? 'off'}
          onChange={(value) => setSpec(withOne(spec, 'signUp', value === 'off' ? undefined : value))}
          allowDeselect={false}
          data={(['off', 'approval', 'open'] as const).map((value) => ({
            value,
            label: p(`look.signUp.${value}`),
          }))}
        />
        {(['tryIt', 'feedback', 'oauthClients'] as const).map((name) => (
          <Switch
            key={name}
            label={p(`look.${name}`)}
            checked={spec[name] !== false}
            onChange={(event) =>
              setSpec(withOne(spec, name, event.currentTarget.checked ? undefined : false))
            }
          />
        ))}
        {spec.oauthClients !== false && (
          <TagsInput
            label={p('look.oauthScopes')}
            description={p('look.oauthScopesHelp')}
            placeholder="orders.read"
            splitChars={[',', ' ']}
            value={listOf(spec.oauthScopes)}
            onChange={(scopes) =>
              setSpec(withOne(spec, 'oauthScopes', scopes.length === 0 ? undefined : scopes))
            }
          />
        )}
        <Group justify="space-between">
          {base !== null && (
            <Anchor
              size="sm"
              renderRoot={(props) => (
                <Link to="/assets/$list/of/$name" params={{ list: 'portals', name: 'portal' }} {...props} />
              )}
            >
              {p('look.more')}
            </Anchor>
          )}
          <Button ml="auto" onClick={() => setReviewing(true)} disabled={!changed}>
            {p('look.review')}
          </Button>
        </Group>
      </Stack>
      <Box>
        <Text size="sm" fw={600} mb="xs">
          {p('look.preview')}
        </Text>
        <LookPreview spec={spec} />
      </Box>
      {reviewing && (
        <ReviewChange
          list="portals"
          base={base}
          spec={spec}
          onClose={() => setReviewing(false)}
          onSaved={() => {
            setReviewing(false);
            void queries.invalidateQueries({ queryKey: ['assets', 'portals'] });
          }}
          onTakeTheirs={(theirs) => {
            setReviewing(false);
            setSpec(theirs.spec);
          }}
        />
      )}
    </SimpleGrid>
  );
}
