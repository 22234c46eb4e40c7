/** Names that somebody else chose, so that they look like what they are. Pure. */

/** Control characters, and marks that turn the direction of what follows: `fdp.exe` behind one of them reads `exe.pdf`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A name with what cannot be seen of it written out: `\u202e`. */
export function plain(name: string): string {
  return name.replace(HIDDEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
