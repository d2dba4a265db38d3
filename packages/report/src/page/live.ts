import { Idiomorph } from "idiomorph";
import { formatTime } from "../format.ts";
import type { Frame } from "../html/page.ts";
import { drawPlots } from "./plot.ts";

/** Shows each frame that the server sends, until it says that it was the last. */
export function followServer(): void {
  const source = new EventSource("events");
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("error", () =>
    say(`Connection lost at ${formatTime(Date.now() / 1000)} UTC; this is the last that was heard`),
  );
  source.addEventListener("frame", ({ data }: MessageEvent<string>) => show(JSON.parse(data) as Frame));
  source.addEventListener("end", () => {
    source.close();
    say("Ended; this is how it ended");
  });
  source.addEventListener("broken", () => {
    source.close();
    say("Nobody watches any longer; this is the last that was known");
  });
}

/** Changes what differs and nothing else, so that scroll, focus, selection and what is unfolded stay. */
function show({ title, status, main, plots }: Frame): void {
  const place = document.querySelector("#main");
  if (place === null) return;
  // A promise only where a <head> is morphed.
  void Idiomorph.morph(place, main, {
    morphStyle: "innerHTML",
    callbacks: {
      beforeNodeMorphed: (old: Node) => !(old instanceof Element && old.matches("[data-plot]")),
      beforeAttributeUpdated: (name: string, node: Element) => !(name === "open" && node instanceof HTMLDetailsElement),
    },
  });
  document.title = title;
  drawPlots(plots);
  write("#status", status);
}

function say(text: string): void {
  write("#connection", text);
}

/** Only what differs, for what is written is read aloud. */
function write(selector: string, text: string): void {
  const place = document.querySelector(selector);
  if (place !== null && place.textContent !== text) place.textContent = text;
}
