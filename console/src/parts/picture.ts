/** Pictures in documents: `data:` URLs of a few types. */

export const PICTURES = 'image/png,image/jpeg,image/webp,image/svg+xml';

/** A file as it is written in a document. */
export function dataUrlOf(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.readAsDataURL(file);
  });
}
