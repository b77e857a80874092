/** Texts of the portal, in catalogues of its own; language, numbers and times are those of the console. */
import { type PartTexts, textsOf } from '../../i18n/catalogue';
import { de } from './de';
import { en, type PortalKey } from './en';

export type { PortalKey } from './en';
export type PortalTexts = PartTexts<PortalKey>;

export const usePortalTexts = textsOf<PortalKey>({ en, de });
