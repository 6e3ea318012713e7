"use strict";
(() => {
  const lesson = JSON.parse(document.getElementById("lesson").textContent);
  const words = lesson.words;
  const say = (name, facts) => words[name].replace(/\{(\w+)\}/g, (_, key) => facts[key]);
  const find = (name) => document.getElementById(name);
  const [canvas, scrub, told, play] = ["canvas", "scrub", "told", "play"].map(find);
  const pictures = find("pictures"), grid = find("grid"), picked = find("picked");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;

  // A frame that a step shows lies in the step's own picture.
  const images = lesson.frames.map((frame) => {
    const image = new Image();
    image.src = typeof frame === "number" ? find(`picture${frame}`).src : frame;
    return image;
  });
  const reference = find("reference");
  let timer = 0;

  const at = () => Number(scrub.value);
  const ready = (image) => image.complete && image.naturalWidth > 0;
  function draw() {
    const image = images[at()], overlay = Number(find("overlay").value) / 100;
    if (!ready(image)) { image.onload = draw; return; }
    pen.globalAlpha = 1;
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (overlay > 0 && ready(reference)) {
      pen.globalAlpha = overlay;
      pen.drawImage(reference, 0, 0, canvas.width, canvas.height);
    }
    const step = lesson.steps.findLastIndex((first) => first <= at());
    const share = Math.round(100 * lesson.progress[at()]);
    told.textContent = `${say("step", { number: step + 1 })}, ${say("of_time", { share: `${share} %` })}`;
    scrub.setAttribute("aria-valuetext", told.textContent);
  }
  function go(moment) {
    scrub.value = Math.max(0, Math.min(images.length - 1, moment));
    draw();
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = words.play;
  }
  function toggle() {
    if (timer) return stop();
    if (at() === images.length - 1) go(0);
    play.textContent = words.pause;
    timer = setInterval(() => {
      go(at() + 1);
      if (at() === images.length - 1) stop();
    }, Math.max(80, 6000 / images.length));
  }

  function drawGrid() {
    const cells = Number(find("cells").value);
    grid.replaceChildren();
    if (!cells) return;
    const [wide, high] = [canvas.width, canvas.height];
    const size = Math.min(wide, high) / cells;
    const columns = Math.max(1, Math.round(wide / size)), rows = Math.max(1, Math.round(high / size));
    const make = (name, attributes, text) => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) part.setAttribute(key, attributes[key]);
      if (text) part.textContent = text;
      grid.append(part);
    };
    let lines = "";
    for (let x = 1; x < columns; x++) lines += `M${(x * wide) / columns} 0V${high}`;
    for (let y = 1; y < rows; y++) lines += `M0 ${(y * high) / rows}H${wide}`;
    make("path", { d: lines });
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++)
        make("text", { x: (x * wide) / columns + size / 20, y: (y * high) / rows + size / 5, "font-size": size / 6 },
          `${String.fromCharCode(65 + x)}${y + 1}`);
  }

  function pick(event) {
    const box = canvas.getBoundingClientRect();
    let x = (event.clientX - box.left) / box.width;
    if (find("mirror").checked) x = 1 - x;
    const y = (event.clientY - box.top) / box.height;
    const within = (share, length) => Math.max(0, Math.min(length - 1, Math.floor(share * length)));
    const [r, g, b] = pen.getImageData(within(x, canvas.width), within(y, canvas.height), 1, 1).data;
    const hex = "#" + [r, g, b].map((value) => value.toString(16).padStart(2, "0")).join("");
    // Weights that follow the eye, between the mean reds (Compuphase).
    const far = (colour) => {
      const [R, G, B] = [1, 3, 5].map((i) => parseInt(colour.hex.slice(i, i + 2), 16));
      const red = (r + R) / 2;
      return (2 + red / 256) * (r - R) ** 2 + 4 * (g - G) ** 2 + (2 + (255 - red) / 256) * (b - B) ** 2;
    };
    const nearest = lesson.palette.reduce((best, colour) => (far(colour) < far(best) ? colour : best));
    const swatch = document.createElement("i");
    swatch.style.background = hex;
    const number = lesson.palette.indexOf(nearest) + 1;
    picked.replaceChildren(swatch, say("picked", { hex, number, name: nearest.name }));
  }

  function showMixes() {
    const mixes = lesson.mixes[find("paints").value];
    document.querySelectorAll("#palette tbody tr").forEach((row, index) => {
      const mix = mixes[index], cell = row.querySelector(".mix");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = mix.hex;
      const note = document.createElement("small");
      note.textContent = mix.note;
      cell.replaceChildren(swatch, mix.text, note);
    });
  }

  function show() {
    const box = find("viewer");
    box.style.setProperty("--zoom", find("zoom").value);
    pictures.classList.toggle("beside", find("compare").checked);
    find("beside").hidden = !find("compare").checked;
    const sheet = find("sheet");
    sheet.classList.toggle("mirrored", find("mirror").checked);
    sheet.classList.toggle("squint", find("squint").checked);
    for (const count of ["3", "5"]) sheet.classList.toggle(`values${count}`, find("values").value === count);
    drawGrid();
    draw();
  }

  canvas.width = lesson.width;
  canvas.height = lesson.height;
  grid.setAttribute("viewBox", `0 0 ${lesson.width} ${lesson.height}`);
  scrub.max = images.length - 1;
  scrub.value = images.length - 1;
  scrub.addEventListener("input", () => { stop(); draw(); });
  play.addEventListener("click", toggle);
  canvas.addEventListener("click", pick);
  for (const name of ["compare", "overlay", "zoom", "mirror", "cells", "values", "squint"])
    find(name).addEventListener("input", show);
  find("paints")?.addEventListener("input", showMixes);
  find("print").addEventListener("click", () => window.print());
  document.querySelectorAll("button[data-moment]").forEach((button) =>
    button.addEventListener("click", () => {
      go(Number(button.dataset.moment));
      find("viewer").scrollIntoView({ block: "start" });
      scrub.focus({ preventScroll: true });
    }));

  const next = (by) => {
    const ends = lesson.ends;
    const index = by > 0 ? ends.findIndex((end) => end > at()) : ends.findLastIndex((end) => end < at());
    return index < 0 ? (by > 0 ? images.length - 1 : 0) : ends[index];
  };
  const flip = (name) => { find(name).checked = !find(name).checked; show(); };
  const turn = (name) => {
    const select = find(name);
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    show();
  };
  const keys = {
    ArrowLeft: () => go(at() - 1), ArrowRight: () => go(at() + 1),
    PageUp: () => go(next(-1)), PageDown: () => go(next(1)),
    Home: () => go(0), End: () => go(images.length - 1), " ": toggle,
    m: () => flip("mirror"), g: () => turn("cells"), v: () => turn("values"), s: () => flip("squint"),
  };
  document.addEventListener("keydown", (event) => {
    const own = event.target.closest("select, button, a, summary, input:not(#scrub)");
    if (event.ctrlKey || event.metaKey || event.altKey || own) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key !== " ") stop();
    act();
  });
  show();
})();
