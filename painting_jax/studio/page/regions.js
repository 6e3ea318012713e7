// The picture with its regions, and their chips: split, merged, and dragged into an order.

import { post } from "./api.js";
import { fill, h, say } from "./dom.js";

const FADED = 0.62;

export function regions(source, picture, onChange = () => {}) {
  let found = { regions: [], most: 0 };
  let map, order = [], edits = [], merging = false, selected = null, point = null, isOrdered = false;
  let steps = [];

  const image = h("img", { src: picture.shown, alt: "The picture", draggable: false });
  const canvas = h("canvas", { "aria-hidden": "true" });
  const numbers = h("div.numbers", { "aria-hidden": "true" });
  const stage = h("div.stage", {}, image, canvas, numbers);
  // As large as the page has room for, whatever the picture's own size.
  stage.style.width = `min(100%, calc(66vh * ${picture.width / picture.height}))`;
  const chips = h("ol.chips", { "aria-label": "Regions in the order of painting" });
  const tools = h("div.tools", { role: "status" });
  const element = h(
    "section.regions",
    { "aria-label": "Regions" },
    stage,
    tools,
    chips,
  );

  const body = () => ({ ...source, edits });
  const numberAt = (x, y) => {
    if (!map) return 0;
    const column = Math.min(map.width - 1, Math.floor(x * map.width));
    const line = Math.min(map.height - 1, Math.floor(y * map.height));
    return map.labels[line * map.width + column];
  };
  const entry = (number) => found.regions.find((region) => region.number === number);
  const placeOf = (number) => order.indexOf(number) + 1;

  async function read(data) {
    const grey = new Image();
    grey.src = data;
    await grey.decode();
    const small = h("canvas", { width: grey.width, height: grey.height });
    const context = small.getContext("2d", { willReadFrequently: true });
    context.drawImage(grey, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, small.width, small.height);
    const labels = new Uint8Array(small.width * small.height);
    for (let n = 0; n < labels.length; n += 1) labels[n] = pixels[4 * n];
    return { width: small.width, height: small.height, labels };
  }

  async function load() {
    stage.classList.add("busy");
    try {
      const answer = await post("/api/regions", body());
      found = answer;
      map = await read(answer.map);
      const there = found.regions.map((region) => region.number);
      order = [...order.filter((n) => there.includes(n)), ...there.filter((n) => !order.includes(n))];
      if (!there.includes(selected)) selected = null;
      show();
      return true;
    } catch (error) {
      say(error.message);
      return false;
    } finally {
      stage.classList.remove("busy");
    }
  }

  async function change(edit, placed) {
    steps.push({ edits, order, isOrdered });
    edits = [...edits, edit];
    if (await load()) {
      placed?.();
      show();
      onChange();
    } else ({ edits, order, isOrdered } = steps.pop());
  }

  async function undo() {
    ({ edits, order, isOrdered } = steps.pop());
    merging = false;
    await load();
    onChange();
  }

  function merge(into, region) {
    merging = false;
    selected = into;
    return change({ merge: [into, region] });
  }

  function split(region) {
    const at = point || entry(region).at;
    const before = new Set(order);
    return change({ split: region, at }, () => {
      // The new one is painted right after the one that it was cut from.
      const made = order.find((number) => !before.has(number));
      order = order.filter((number) => number !== made);
      order.splice(order.indexOf(region) + 1, 0, made);
      selected = made;
    });
  }

  function select(number, at = null) {
    if (merging && selected && number && number !== selected) return merge(selected, number);
    merging = false;
    point = at;
    selected = number === selected && !at ? null : number || null;
    show();
  }

  function move(number, by) {
    const from = order.indexOf(number), to = Math.max(0, Math.min(order.length - 1, from + by));
    if (from === to) return;
    steps.push({ edits, order: [...order], isOrdered });
    order.splice(to, 0, ...order.splice(from, 1));
    isOrdered = true;
    show();
    onChange();
  }

  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const number = numberAt(x, y);
    if (event.shiftKey && selected && number && number !== selected) merge(selected, number);
    else if (number) select(number, [x, y]);
  });

  function draw() {
    const context = canvas.getContext("2d");
    canvas.width = map.width;
    canvas.height = map.height;
    const pixels = context.createImageData(map.width, map.height);
    const { width, labels } = map;
    labels.forEach((label, n) => {
      const edge = (n % width && labels[n - 1] !== label) || (n >= width && labels[n - width] !== label);
      const faded = selected && label !== selected;
      if (edge) pixels.data.set([20, 18, 16, 190], 4 * n);
      else if (faded) pixels.data.set([250, 247, 241, 255 * FADED], 4 * n);
    });
    context.putImageData(pixels, 0, 0);
  }

  function sign(number) {
    const [x, y] = entry(number).at;
    const element = h("span", { class: number === selected ? "chosen" : "" }, String(placeOf(number)));
    element.style.left = `${100 * x}%`;
    element.style.top = `${100 * y}%`;
    return element;
  }

  let dragged = null, hasMoved = false;

  function chip(number) {
    const region = entry(number), place = placeOf(number);
    const swatch = h("span.swatch");
    swatch.style.background = `rgb(${region.colour.join(",")})`;
    const button = h(
      "button.chip",
      {
        type: "button",
        "aria-pressed": String(number === selected),
        "aria-label": `${place}. region ${region.name}, ${Math.round(100 * region.share)} percent of the picture. Arrow keys move it.`,
        onclick: () => hasMoved || select(number),
        onkeydown: (event) => {
          const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
          if (!by) return;
          event.preventDefault();
          move(number, by);
          focus(number);
        },
      },
      h("span.number", {}, String(place)),
      swatch,
      h("span", {}, region.name),
    );
    const item = h("li", { "data-number": number }, button);
    button.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      dragged = { number, x: event.clientX, y: event.clientY };
    });
    return item;
  }

  const focus = (number) => chips.querySelector(`[data-number="${number}"] button`)?.focus();

  function onMove(event) {
    if (!dragged) return;
    if (!hasMoved && Math.hypot(event.clientX - dragged.x, event.clientY - dragged.y) < 6) return;
    hasMoved = true;
    chips.classList.add("dragging");
    const over = document.elementFromPoint(event.clientX, event.clientY)?.closest(".chips li");
    for (const item of chips.children) {
      item.classList.toggle("over", item === over && Number(item.dataset.number) !== dragged.number);
    }
    dragged.over = over ? Number(over.dataset.number) : null;
  }

  function onUp() {
    if (!dragged) return;
    const { number, over } = dragged;
    dragged = null;
    chips.classList.remove("dragging");
    for (const item of chips.children) item.classList.remove("over");
    if (over && over !== number) move(number, order.indexOf(over) - order.indexOf(number));
    // The click that ends a drag selects nothing.
    setTimeout(() => (hasMoved = false), 0);
  }

  addEventListener("pointermove", onMove);
  addEventListener("pointerup", onUp);
  addEventListener("pointercancel", onUp);

  function show() {
    if (!map) return;
    draw();
    fill(numbers, order.map(sign));
    fill(chips, order.map(chip));
    const back = steps.length > 0 && h("button.quiet", { type: "button", onclick: undo }, "Undo");
    if (merging) {
      fill(
        tools,
        h("span", {}, `Click the region to merge into region ${placeOf(selected)}.`),
        h("button.quiet", { type: "button", onclick: () => ((merging = false), show()) }, "Do not merge"),
      );
    } else if (selected) {
      const asks = () => ((merging = true), show());
      const isFull = found.regions.length >= found.most;
      fill(
        tools,
        h("strong", {}, `${placeOf(selected)} · ${entry(selected).name}`),
        h("button.small", { type: "button", disabled: isFull, onclick: () => split(selected) }, "Split here"),
        h("button.small", { type: "button", disabled: order.length < 2, onclick: asks }, "Merge with …"),
        h("button.small", { type: "button", "aria-label": "Paint earlier", onclick: () => move(selected, -1) }, "Earlier"),
        h("button.small", { type: "button", "aria-label": "Paint later", onclick: () => move(selected, 1) }, "Later"),
        back,
      );
    } else {
      fill(tools, h("span", {}, "Click a region to split or merge it; drag the chips into your order."), back);
    }
  }

  return {
    element,
    load,
    mark: (number) => select(number),
    set(saved) {
      ({ edits, order } = { edits: saved.edits || [], order: [...(saved.order || [])] });
      isOrdered = order.length > 0;
    },
    // What the painting is asked for: nothing where nothing was changed.
    get chosen() {
      return edits.length || isOrdered ? { edits, order } : { edits: [], order: [] };
    },
    get edits() {
      return edits;
    },
    close() {
      removeEventListener("pointermove", onMove);
      removeEventListener("pointerup", onUp);
      removeEventListener("pointercancel", onUp);
    },
  };
}
