// The view in which a picture is dropped and everything about its painting is chosen.

import { get, post } from "./api.js";
import { canvas } from "./canvas.js";
import { fill, h, say } from "./dom.js";
import { dropzone } from "./dropzone.js";
import { mixture, sharesOf } from "./mixture.js";
import { regions } from "./regions.js";

const MANNERS = {
  ground: "Ground",
  scale: "Strokes",
  direction: "Direction",
  order: "Order",
  construction: "Construction",
};
// Painters' terms that not everybody knows.
const MEANINGS = {
  "alla prima": "everywhere at once",
  layered: "from back to front",
  sectional: "region by region",
  "in perspective": "horizon and vanishing lines first",
  "in planes": "facets of light and shade first",
};
const TUTORIALS = { language: "Language", paper: "Paper", detail: "Outline", paints: "Paints" };
const TONGUES = { en: "English", de: "Deutsch" };
const SIZES = [128, 256, 384, 512, 768, 1024, 1536, 2048];

const field = (label, control, hint) => {
  control.id ||= `f${Math.random().toString(36).slice(2)}`;
  return h("div.field", {}, h("label", { for: control.id }, label), control, hint && h("p.hint", {}, hint));
};

const choice = (options, value = "") =>
  h("select", {}, options.map(([key, label]) => h("option", { value: key, selected: key === value }, label)));

const meant = (name) => (MEANINGS[name] ? `${name}: ${MEANINGS[name]}` : name);

// `from.picture` is an upload; `from.work` gives picture and settings of a work, and `from.canvas`
// opens the photo of its canvas.
export function paint(about, from = {}) {
  const place = h("div");
  let parts = [];
  const close = () => parts.forEach((part) => part.close?.());

  const zone = dropzone({
    title: "Drop a picture",
    hint: `jpg, png, webp, avif, bmp or tiff, up to ${about.limits.upload >> 20} MB. You can also paste one.`,
    most: about.limits.upload,
    takesPaste: true,
    onUpload: (picture) => {
      // A reload shows the same picture; nothing is left that the page would go back to.
      history.replaceState(null, "", `#/picture/${picture.id}`);
      open({ picture: picture.id }, picture, {});
    },
  });
  parts.push(zone);

  function begin() {
    fill(
      place,
      h(
        "section.begin",
        {},
        h("h1", {}, "See how your picture could be painted"),
        h("p.lead", {}, "From the blank canvas to the last detail, in the medium and in the order that you choose."),
        zone.element,
      ),
    );
  }

  function open(source, picture, saved) {
    close();
    const view = settings(about, source, picture, saved, from.canvas);
    parts = [view];
    fill(place, view.element);
    view.element.querySelector("h1").focus();
    if (from.canvas) view.element.querySelector(".canvas-photo").scrollIntoView({ block: "center" });
  }

  function missing(error) {
    begin();
    say(error.message);
  }

  if (from.picture) {
    fill(place, h("p.hint", {}, "Opening …"));
    get(`/api/uploads/${from.picture}`)
      .then((picture) => open({ picture: picture.id }, picture, {}))
      .catch(missing);
  } else if (from.work) {
    fill(place, h("p.hint", {}, "Opening …"));
    get(`/api/works/${from.work}`)
      .then((work) => {
        const [height, width] = work.shape;
        const picture = { name: work.name, shown: `/works/${work.id}/shown.jpg`, width, height };
        open({ work: work.id }, picture, work.settings);
      })
      .catch(missing);
  } else begin();
  return ["Paint", place, close];
}

function settings(about, source, picture, saved, withCanvas) {
  const { models, media, manners, limits } = about;
  const model = choice(Object.entries(models).map(([key, { label }]) => [key, label]), saved.model);
  const mix = h("div");
  let shares = mixture(media);

  const prompt = h("input", { type: "text", maxlength: limits.prompt, placeholder: "a cat on a chair", value: saved.prompt || "" });
  const words = h("input", { type: "text", maxlength: limits.prompt, placeholder: "1. sky 2. far trees 3. water", value: saved.words || "" });
  const manner = Object.fromEntries(
    Object.entries(MANNERS).map(([part]) => [
      part,
      choice([["", "the model chooses"], ...manners[part].map((name) => [name, meant(name)])], saved.manner?.[part]),
    ]),
  );
  const tutorial = Object.fromEntries(
    Object.keys(TUTORIALS).map((part) => [
      part,
      choice(
        [...(part === "paints" ? [["", "by the medium"]] : []), ...about.tutorials[part].map((name) => [name, TONGUES[name] || name.replaceAll("_", " ")])],
        saved.tutorial?.[part],
      ),
    ]),
  );
  const frames = h("input", { type: "range", min: limits.frames[0], max: limits.frames[1], step: 1 });
  const framesShown = h("output");
  const steps = h("input", { type: "number", min: limits.steps[0], max: limits.steps[1], value: saved.steps ?? "" });
  const size = choice([["", ""], ...SIZES.map((side) => [String(side), `${side} pixels`])], String(saved.size || ""));
  const seed = h("input", { type: "number", min: 0, max: 2 ** 31 - 1, value: saved.seed ?? 0 });
  const look = h("input", { type: "checkbox", checked: saved.other_look === true });

  const region = regions(source, picture);
  region.set(saved);
  const photo = canvas({
    most: limits.upload,
    asked: () => ({ ...source, medium: shares.weights(), frames: Number(frames.value), edits: region.edits, other_look: look.checked }),
    onMark: (number) => {
      region.mark(number);
      region.element.scrollIntoView({ block: "nearest" });
    },
    onRead: () => show(),
  });
  const button = h("button.primary", { type: "submit" }, "Paint");
  const summary = h("p.hint.summary", { role: "status" });
  const traits = () => models[model.value];

  const ofRegions = h("div", {}, region.element);
  const whole = h("img.whole", { src: picture.shown, alt: "The picture" });
  const fields = {
    words: field("Order in words", words, "What to paint, one after the other."),
    size: field("Longer side", size),
    look: h("label.check", {}, look, h("span", {}, "A drawing or a grey photo: the model chooses tones and colours")),
    canvas: h(
      "details.block",
      { open: Boolean(withCanvas) },
      h("summary", {}, "Go on from your own canvas"),
      photo.element,
    ),
  };

  function renew() {
    const known = Object.fromEntries(Object.entries(media).filter(([name]) => traits().media.includes(name)));
    const wanted = saved.medium ? sharesOf(saved.medium) : { [known.oil ? "oil" : Object.keys(known)[0]]: 1 };
    shares = mixture(known, wanted, () => show());
    fill(mix, shares.element);
    frames.value = saved.frames || traits().frames;
    steps.placeholder = traits().steps;
    size.options[0].textContent = `the picture's own, up to 1024`;
    show();
  }

  function show() {
    const can = traits();
    framesShown.textContent = frames.value;
    ofRegions.hidden = !can.takes_regions;
    whole.hidden = can.takes_regions;
    fields.words.hidden = !can.takes_words;
    fields.size.hidden = !can.sizes;
    fields.look.hidden = !can.takes_look;
    fields.canvas.hidden = !can.takes_canvas;
    const { start } = photo.chosen;
    button.textContent = start === undefined ? "Paint" : "Paint the rest";
    const [first, ...rest] = Object.entries(shares.weights()).sort((a, b) => b[1] - a[1]);
    const medium = [first, ...rest].map(([name, share]) => (rest.length ? `${Math.round(100 * share)} % ` : "") + name.replaceAll("_", " "));
    const count = photo.rest ?? Number(frames.value);
    fill(summary, `${medium.join(", ")} · ${count} steps${start ? ` from ${Math.round(100 * start)} % on` : ""}`);
  }

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      const can = traits();
      const chosen = can.takes_canvas ? photo.chosen : {};
      const number = (input) => (input.value === "" ? null : Number(input.value));
      const { id } = await post("/api/works", {
        ...source,
        model: model.value,
        medium: shares.weights(),
        prompt: prompt.value,
        manner: Object.fromEntries(Object.entries(manner).map(([part, { value }]) => [part, value])),
        tutorial: Object.fromEntries(Object.entries(tutorial).map(([part, { value }]) => [part, value])),
        words: can.takes_words ? words.value : "",
        ...(can.takes_regions ? region.chosen : {}),
        frames: (can.takes_canvas && photo.rest) || Number(frames.value),
        steps: number(steps),
        size: can.sizes ? number(size) : null,
        seed: number(seed),
        other_look: can.takes_look && look.checked,
        ...chosen,
      });
      location.hash = `#/work/${id}`;
    } catch (error) {
      say(error.message);
      button.disabled = false;
    }
  }

  model.addEventListener("change", renew);
  frames.addEventListener("input", show);
  frames.addEventListener("change", () => photo.again());
  const element = h(
    "form.easel",
    { onsubmit: send },
    h(
      "div.left",
      {},
      h("div.heading", {}, h("h1", { tabindex: -1 }, picture.name), h("a.button.quiet", { href: "#/" }, "Another picture")),
      ofRegions,
      whole,
    ),
    h(
      "div.right",
      {},
      h("fieldset", {}, h("legend", {}, "Medium"), mix),
      h(
        "details.block",
        {},
        h("summary", {}, "Manner"),
        field("What it shows", prompt),
        h("div.two", {}, Object.entries(MANNERS).map(([part, label]) => field(label, manner[part]))),
        fields.words,
      ),
      fields.canvas,
      h(
        "details.block",
        {},
        h("summary", {}, "Tutorial"),
        h("div.two", {}, Object.entries(TUTORIALS).map(([part, label]) => field(label, tutorial[part]))),
      ),
      h(
        "details.block",
        {},
        h("summary", {}, "Process"),
        field("Model", model),
        h("div.field", {}, h("label", { for: "frames" }, "Steps of the process ", framesShown), frames),
        h("div.two", {}, fields.size, field("Sampling steps", steps), field("Seed", seed)),
        fields.look,
      ),
      h("div.go", {}, summary, button),
    ),
  );
  frames.id = "frames";
  renew();
  region.load();
  return {
    element,
    close() {
      region.close();
      photo.close();
    },
  };
}
