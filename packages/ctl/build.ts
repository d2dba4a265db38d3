import { bundleProgram } from "../../bundle.shared.ts";

/** Where the bundle goes; a test makes one of its own. */
const [outdir] = process.argv.slice(2);

await bundleProgram("ctl", outdir);
