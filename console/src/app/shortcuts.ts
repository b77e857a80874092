/** Keys that work on every page. Single keys can be turned off: programs that speak or listen send them, too (WCAG 2.1.4). */
import { useHotkeys, useLocalStorage } from '@mantine/hooks';

export function useSingleKeys() {
  return useLocalStorage({ key: 'gatewright.keys', defaultValue: true, getInitialValueInEffect: false });
}

/** `/` goes to the search of the page, or to the one of everything where it has none. */
export function useShortcuts(openPalette: () => void): void {
  const [single] = useSingleKeys();
  const search = () => {
    const field = document.querySelector<HTMLInputElement>('#content input[type=search]');
    if (field === null) openPalette();
    else field.select();
  };
  useHotkeys(single ? [['/', search]] : []);
  // From a field, too.
  useHotkeys([['mod+K', openPalette]], []);
}
