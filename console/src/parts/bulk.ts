/** What can be done to several assets at once: each is changed by itself, from the version that was seen. */
import { type Asset, deleteAsset, type How, replaceAsset, restoreAsset, type Spec } from '../api/assets';
import { withKey } from '../forms/schema';
import { texts } from '../pages/apis/spec';

export type Action = 'activate' | 'deactivate' | 'addTag' | 'removeTag' | 'delete';

/** The document as it is to be, or nothing where it is so already. */
export function changed(action: Exclude<Action, 'delete'>, spec: Spec, tag: string): Spec | undefined {
  const tags = texts(spec.tags);
  switch (action) {
    case 'activate':
      return spec.inactive === true ? withKey(spec, 'inactive', undefined) : undefined;
    case 'deactivate':
      return spec.inactive === true ? undefined : { ...spec, inactive: true };
    case 'addTag':
      return tags.includes(tag) ? undefined : { ...spec, tags: [...tags, tag] };
    case 'removeTag': {
      const rest = tags.filter((other) => other !== tag);
      return rest.length === tags.length
        ? undefined
        : withKey(spec, 'tags', rest.length === 0 ? undefined : rest);
    }
  }
}

/** Does it, or tries it; tells whether there was anything to do. */
export async function act(
  list: string,
  action: Action,
  asset: Asset,
  tag: string,
  how: How,
): Promise<boolean> {
  if (action === 'delete') {
    await deleteAsset(list, asset.name, asset.revision, how);
    return true;
  }
  const spec = changed(action, asset.spec, tag);
  if (spec === undefined) return false;
  await replaceAsset(list, asset.name, asset.revision, spec, how);
  return true;
}

/** Brings back what an asset was when it was seen. */
export async function undo(list: string, asset: Asset): Promise<void> {
  await restoreAsset(list, asset.id, asset.revision, {});
}
