/** Makes an asset of any kind. */
import { useNavigate, useParams } from '@tanstack/react-router';
import { AssetEditor } from '../../forms/AssetEditor';
import { useTexts } from '../../i18n';
import { useKindTexts } from '../../parts/kinds';
import { PageHeader } from '../../parts/PageHeader';

export function NewAssetPage() {
  const { t } = useTexts();
  const { list } = useParams({ from: '/assets/$list/new' });
  const navigate = useNavigate();
  const { one, many, about } = useKindTexts(list);
  const open = (name: string) =>
    list === 'apis'
      ? navigate({ to: '/apis/$name', params: { name }, ignoreBlocker: true })
      : navigate({ to: '/assets/$list/of/$name', params: { list, name }, ignoreBlocker: true });
  const back = { to: list === 'apis' ? '/apis' : `/assets/${list}`, label: many };
  return (
    <>
      <PageHeader title={t('assets.new', { kind: one })} about={about} back={back} />
      <AssetEditor key={list} list={list} base={null} onSaved={({ name }) => void open(name)} />
    </>
  );
}
