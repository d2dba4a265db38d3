/** The page's script, with its plotting library, and its style sheet: what build.ts makes of src/page. */
export const script: string;
export const style: string;
