// The photo of a canvas with its four corners, which can be dragged, or moved by arrow keys.

import { h } from "./dom.js";

const NAMES = ["top left", "top right", "bottom right", "bottom left"];
const SVG = "http://www.w3.org/2000/svg";

export function corners(shown, onMoved) {
  let points = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const image = h("img", { src: shown, alt: "The photo of your canvas", draggable: false });
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 100 100");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const outline = document.createElementNS(SVG, "polygon");
  drawing.append(outline);
  const element = h("div.corners", {}, image, drawing);

  const clamp = (share) => Math.max(-0.02, Math.min(1.02, share));
  const handles = NAMES.map((name, n) => {
    const handle = h("button.handle", {
      type: "button",
      "aria-label": `Corner at the ${name}. Arrow keys move it.`,
    });
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = image.getBoundingClientRect();
      points[n] = [
        clamp((event.clientX - box.left) / box.width),
        clamp((event.clientY - box.top) / box.height),
      ];
      show();
    });
    handle.addEventListener("lostpointercapture", () => onMoved(points));
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!by) return;
      event.preventDefault();
      const far = event.shiftKey ? 0.02 : 0.004;
      points[n] = [clamp(points[n][0] + far * by[0]), clamp(points[n][1] + far * by[1])];
      show();
      onMoved(points);
    });
    return handle;
  });
  element.append(...handles);

  function show() {
    outline.setAttribute("points", points.map(([x, y]) => `${100 * x},${100 * y}`).join(" "));
    handles.forEach((handle, n) => {
      handle.style.left = `${100 * points[n][0]}%`;
      handle.style.top = `${100 * points[n][1]}%`;
    });
  }

  show();
  return {
    element,
    set(found) {
      points = found.map((point) => [...point]);
      show();
    },
  };
}
