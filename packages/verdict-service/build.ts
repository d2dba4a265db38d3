import { bundleProgram } from "../../bundle.shared.ts";

await bundleProgram("verdict");
