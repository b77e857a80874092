/** Kinds of assets: what there is, what they are called, who may change them. */
import { useQuery } from '@tanstack/react-query';
import { type Kind, kindsQuery } from '../api/assets';
import { useTexts } from '../i18n';
import { KIND_TEXTS } from '../i18n/kinds';
import { useSession } from '../session/session';

export function useKinds(): Kind[] {
  return useQuery(kindsQuery).data ?? [];
}

export function useKind(list: string): Kind | undefined {
  return useKinds().find((kind) => kind.list === list);
}

export interface KindTexts {
  one: string;
  many: string;
  /** What they are for. */
  about: string;
}

/** A kind that came after the console was translated is called as the API calls it. */
export function useKindTexts(list: string): KindTexts {
  const { locale } = useTexts();
  return KIND_TEXTS[locale][list] ?? { one: list, many: list, about: '' };
}

export function useMayChange(list: string): boolean {
  const { privileges } = useSession();
  const kind = useKind(list);
  return kind !== undefined && (kind.privilege === undefined || privileges.includes(kind.privilege));
}
