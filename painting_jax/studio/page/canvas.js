// Going on from a photo of the person's own canvas: its corners, which step it is, what differs.

import { post } from "./api.js";
import { corners } from "./corners.js";
import { fill, h } from "./dom.js";
import { dropzone } from "./dropzone.js";

const SVG = "http://www.w3.org/2000/svg";
const WAIT = 450; // milliseconds in which another move may follow

// A picture, with what differs most outlined.
function figure({ outline, shape }, src, alt, caption) {
  const picture = h("div.outlined", {}, h("img", { src, alt }));
  if (outline) {
    const drawn = document.createElementNS(SVG, "svg");
    drawn.setAttribute("viewBox", `0 0 ${shape[1]} ${shape[0]}`);
    drawn.setAttribute("preserveAspectRatio", "none");
    drawn.setAttribute("aria-hidden", "true");
    for (const name of ["under", "over"]) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", outline);
      path.setAttribute("class", name);
      drawn.append(path);
    }
    picture.append(drawn);
  }
  return h("figure", {}, picture, h("figcaption", {}, caption));
}

// `asked` returns what the studio must know of the picture; `onRead` learns what it has found.
export function canvas({ most, asked, onRead, onMark }) {
  let photo = null, reading = null, editor = null, timer, number = 0;
  const said = h("div.reading", { role: "status" });
  const zone = dropzone({
    title: "A photo of your canvas",
    hint: "Take it with all four corners, from the front or slightly from the side.",
    most,
    isSmall: true,
    onUpload: (picture) => {
      photo = picture;
      editor = corners(picture.shown, (points) => {
        clearTimeout(timer);
        timer = setTimeout(() => read(points), WAIT);
      });
      read(null);
    },
  });
  const element = h("div.canvas-photo", {}, zone.element);

  function forget() {
    photo = reading = editor = null;
    fill(element, zone.element);
    onRead(null);
  }

  async function read(points) {
    number += 1;
    const mine = number;
    fill(element, editor.element, said, h("button.quiet", { type: "button", onclick: forget }, "Take another photo"));
    fill(said, h("p.hint", {}, points ? "Looking again …" : "Looking for the canvas …"));
    said.classList.add("busy");
    try {
      const found = await post("/api/canvas", { ...asked(), canvas: photo.id, corners: points });
      // Only the answer to the last move counts.
      if (mine !== number || !photo) return;
      reading = found;
      editor.set(found.corners);
      tell(found);
      onRead(found);
    } catch (error) {
      if (mine === number) fill(said, h("p.wrong", {}, error.message));
    } finally {
      if (mine === number) said.classList.remove("busy");
    }
  }

  function tell(found) {
    const differs = found.differs[0].toUpperCase() + found.differs.slice(1);
    fill(
      said,
      found.warning && h("p.wrong", {}, found.warning[0].toUpperCase() + found.warning.slice(1) + "."),
      h("p.step", {}, h("strong", {}, `Step ${found.step} of ${found.of}`), ` · about ${Math.round(100 * found.progress)} % of the way`),
      h(
        "div.pair",
        {},
        figure(found, found.seen, "Your canvas, seen from the front", "your canvas"),
        figure(found, found.like, `The process at step ${found.step}`, `at step ${found.step}`),
      ),
      h("p", {}, `${differs}.`),
      found.region && h("button.small", { type: "button", onclick: () => onMark(found.region) }, "Show where"),
      h("p.hint", {}, "Are the corners right? Drag them, or move them with the arrow keys."),
    );
  }

  return {
    element,
    again: () => photo && read(reading?.corners || null),
    get chosen() {
      return photo && reading ? { canvas: photo.id, corners: reading.corners, start: reading.progress } : {};
    },
    // Frames that are left to paint.
    get rest() {
      return photo && reading ? reading.rest : null;
    },
    close: zone.close,
  };
}
