/** What may be in Markdown that somebody wrote. */

const SCHEMES = ['https:', 'http:', 'mailto:', 'tel:'];

/** Where a link may lead: addresses that run nothing. */
export function linkTo(href: string): string | undefined {
  const wanted = href.trim();
  if (wanted.startsWith('#')) return wanted;
  // Browsers take it for `/`, and with it a path for another host.
  if (wanted.includes('\\')) return undefined;
  try {
    // Somewhere else than where pages are: what has no scheme of its own gets that one.
    const url = new URL(wanted, 'relative://portal/');
    if (url.protocol === 'relative:')
      return url.host === 'portal' && wanted.startsWith('/') ? wanted : undefined;
    return SCHEMES.includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Pictures that are in the text itself, or of this host. */
export function pictureFrom(href: string): string | undefined {
  if (/^data:image\/(?:png|jpeg|webp|gif|svg\+xml);base64,[A-Za-z0-9+/=]+$/.test(href)) return href;
  return href.startsWith('/') && !href.startsWith('//') && !href.includes('\\') ? href : undefined;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** The text that was meant where the reader has escaped it. */
export function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

export function slugOf(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-');
  return `s-${words.replace(/^-+|-+$/g, '')}`;
}
