import type { Plot } from "../plots.ts";
import { followServer } from "./live.ts";
import { drawPlots } from "./plot.ts";

document.documentElement.classList.add("js");

const embedded = document.querySelector("#plots")?.textContent ?? "[]";
drawPlots(JSON.parse(embedded) as Plot[]);
performance.mark("drawn");

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("[data-copy]") : null;
  if (button !== null) void copy(button);
});

if ("live" in document.documentElement.dataset) followServer();

async function copy(button: HTMLButtonElement): Promise<void> {
  const label = button.firstChild;
  if (label === null) return;
  try {
    await navigator.clipboard.writeText(button.dataset["copy"] ?? "");
    label.textContent = "Copied";
  } catch {
    label.textContent = "Select it and copy by hand";
  }
}
