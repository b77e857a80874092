/** A policy in the chain: what it is, where it is written, and whether it has any effect. */
import { ActionIcon, Anchor, Badge, Box, Group, Text } from '@mantine/core';
import { IconInfoCircle, IconPencil, IconTrash } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Words } from '../../forms/Description';
import { useTexts } from '../../i18n';
import type { Governing } from './chain';
import classes from './Policies.module.css';
import { text } from './spec';

interface Props {
  governing: Governing;
  /** It is written elsewhere, and holds here, too. */
  inherited: boolean;
  /** Why it has no effect here. */
  why: string | undefined;
  description: string | undefined;
  /** Shows the part that it is written for. */
  onOpen: (() => void) | undefined;
  onEdit: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

export function PolicyCard({ governing, inherited, why, description, onOpen, onEdit, onRemove }: Props) {
  const { t } = useTexts();
  const { policy } = governing;
  const type = text(policy.type) ?? '';
  const name = text(policy.name) ?? type;
  const first = description?.split('\n')[0];
  const disabled = policy.disabled === true;
  return (
    <Box
      className={classes.card ?? ''}
      data-inert={disabled || why !== undefined || undefined}
      data-inherited={inherited || undefined}
    >
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Box miw={0}>
          <Group gap="xs">
            <Text fw={600}>{name}</Text>
            {name !== type && (
              <Text size="sm" c="dimmed">
                {type}
              </Text>
            )}
            <Origin governing={governing} inherited={inherited} onOpen={onOpen} />
            {disabled ? (
              <Badge color="gray" variant="outline" tt="none">
                {t('policies.disabled')}
              </Badge>
            ) : (
              why !== undefined && (
                <Badge color="orange" variant="outline" tt="none">
                  {t('policies.inert')}
                </Badge>
              )
            )}
          </Group>
          {first !== undefined && (
            <Text size="sm" c="dimmed">
              <Words text={first} />
            </Text>
          )}
          {why !== undefined && !disabled && (
            <Group gap={6} mt={2} wrap="nowrap" className="gw-warn">
              <IconInfoCircle size={15} aria-hidden style={{ flexShrink: 0 }} />
              <Text size="sm">{why}</Text>
            </Group>
          )}
          {policy.appliesTo !== undefined && <Text size="sm">{t('policies.some')}</Text>}
        </Box>
        <Group gap={4} wrap="nowrap">
          {onEdit !== undefined && (
            <ActionIcon variant="subtle" onClick={onEdit} aria-label={t('policies.edit', { name })}>
              <IconPencil size={16} />
            </ActionIcon>
          )}
          {onRemove !== undefined && (
            <ActionIcon
              variant="subtle"
              color="red"
              onClick={onRemove}
              aria-label={t('policies.remove', { name })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          )}
        </Group>
      </Group>
    </Box>
  );
}

interface OriginProps {
  governing: Governing;
  inherited: boolean;
  onOpen: (() => void) | undefined;
}

function Origin({ governing, inherited, onOpen }: OriginProps) {
  const { t } = useTexts();
  if (governing.from === 'own') {
    if (!inherited) return null;
    const { list } = governing.place;
    const label =
      list === 'api'
        ? t('policies.fromApi')
        : t(list === 'scopes' ? 'policies.fromScope' : 'policies.fromPart', { name: governing.of });
    return (
      <Badge color="gray" variant="light" tt="none">
        {onOpen === undefined || list === 'scopes' ? (
          label
        ) : (
          <Anchor component="button" type="button" inherit underline="hover" onClick={onOpen}>
            {label}
          </Anchor>
        )}
      </Badge>
    );
  }
  const list = governing.from === 'global' ? 'policies' : 'policyTemplates';
  return (
    <Badge color={governing.from === 'global' ? 'blue' : 'gray'} variant="light" tt="none">
      <Anchor
        inherit
        underline="hover"
        renderRoot={(props) => (
          <Link to="/assets/$list/of/$name" params={{ list, name: governing.name }} {...props} />
        )}
      >
        {t(governing.from === 'global' ? 'policies.global' : 'policies.template', { name: governing.name })}
      </Anchor>
    </Badge>
  );
}
