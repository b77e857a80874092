/** The definition of an API, and a client that is written from it in the browser. */
import { Menu } from '@mantine/core';
import { IconBrandTypescript, IconFileCode } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { BASE } from '../../../api/client';
import { useToast } from '../../../parts/Toasts';
import { type ApiDetail, definitionPath, portalDefinitionQuery } from '../../api/portal';
import { usePortalTexts } from '../../i18n';
import { baseUrl } from '../../parts/address';
import { save } from '../../parts/save';
import { useLook } from '../../visitor';

export function Downloads({ api, children }: { api: ApiDetail; children: ReactNode }) {
  const { p } = usePortalTexts();
  const queries = useQueryClient();
  const look = useLook();
  const toast = useToast();
  const client = async () => {
    const [source, { readDefinition }, { clientOf }] = await Promise.all([
      queries.fetchQuery(portalDefinitionQuery(api.name)),
      import('../../definition/read'),
      import('../../definition/client'),
    ]);
    const definition = readDefinition(source);
    if (definition === undefined) {
      toast(p('download.noClient'));
      return;
    }
    save(`${api.title}-client.ts`, 'text/plain', clientOf(definition, api.title, baseUrl(look, api)));
  };
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>{children}</Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          component="a"
          href={BASE + definitionPath(api.name)}
          download={`${api.title}-${api.version}.json`}
          leftSection={<IconFileCode size={17} />}
        >
          {p('download.definition')}
        </Menu.Item>
        <Menu.Item leftSection={<IconBrandTypescript size={17} />} onClick={() => void client()}>
          {p('download.client')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
