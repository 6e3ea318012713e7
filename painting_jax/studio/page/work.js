// One painting: how far it is, and when it is done its video, steps, tutorial and files.

import { get, post, remove } from "./api.js";
import { fill, h, isStill, say } from "./dom.js";
import { listen, present, refresh } from "./live.js";
import { bar, cancel, shareOf, stageOf } from "./queue.js";

const ENDED = {
  failed: "This painting failed",
  cancelled: "This painting was cancelled",
  interrupted: "This painting was interrupted",
};
const NAMES = {
  "outline.pdf": "Outline to print (pdf)",
  "outline.svg": "Outline (svg)",
  "process.mp4": "Video",
  "process.webp": "Animation",
  "contact_sheet.png": "Contact sheet",
  "regions.png": "Regions with their numbers",
  "process.json": "All parameters",
  "segments.png": "Map of your regions",
};

export function work(id) {
  const place = h("section.painting", {}, h("p.hint", {}, "Opening …"));
  let shown = "", progress = null, stage = null, asked = false;

  async function load() {
    if (asked) return;
    asked = true;
    try {
      const said = await get(`/api/works/${id}`);
      if (said.state !== shown) {
        shown = said.state;
        draw(said);
      }
    } catch (error) {
      fill(place, h("h1", {}, "There is no such painting"), h("p", {}, error.message), h("a", { href: "#/gallery" }, "Go to the gallery"));
    }
    asked = false;
  }

  function heading(said) {
    return h(
      "div.heading",
      {},
      h("div", {}, h("h1", {}, said.name), h("p.hint", {}, [said.in_words, said.prompt, said.model].filter(Boolean).join(" · "))),
    );
  }

  function draw(said) {
    document.title = `${said.name} · Studio`;
    progress = stage = null;
    const picture = h("img.whole", { src: `/works/${id}/shown.jpg`, alt: "The picture" });
    if (said.state === "queued" || said.state === "painting") {
      progress = bar("Progress");
      stage = h("p.stage", { role: "status" });
      const card = h("div.card.progress", {}, stage, progress.element, h("button", { onclick: () => cancel(id) }, "Cancel"));
      fill(place, heading(said), h("div.wait", {}, picture, card));
      advance(present());
    } else if (said.state === "done") fill(place, heading(said), said.said && h("p.note", {}, said.said), result(said));
    else {
      fill(
        place,
        heading(said),
        h(
          "div.wait",
          {},
          picture,
          h(
            "div.card",
            {},
            h("h2", {}, ENDED[said.state] || said.state),
            said.said && h("p.wrong", {}, said.said),
            h("div.row", {}, h("button.primary", { onclick: again }, "Paint it again"), h("a.button", { href: `#/again/${id}` }, "Change it"), removal(said)),
          ),
        ),
      );
    }
  }

  function result(said) {
    const { files } = said;
    const file = (name, download = false) => `/works/${id}/${name}${download ? "?download" : ""}`;
    const video = h("video", { src: file("process.mp4"), poster: files.steps.length ? file(files.steps.at(-1)) : `/works/${id}/shown.jpg`, controls: true, loop: true, playsinline: true, preload: "metadata" });
    video.muted = true;
    video.autoplay = !isStill.matches;
    const others = [...files.known.filter((name) => name in NAMES), ...files.others];
    return h(
      "div.result",
      {},
      h("div.show", {}, video, steps(files, file)),
      h(
        "aside",
        {},
        h(
          "div.card",
          {},
          h("h2", {}, "Paint along"),
          files.known.includes("tutorial.html") && h("a.button.primary", { href: file("tutorial.html"), target: "_blank", rel: "noopener" }, "Open the tutorial"),
          files.known.includes("outline.pdf") && h("a.button", { href: file("outline.pdf", true), download: "outline.pdf" }, "Print the outline"),
          h("a.button", { href: `#/canvas/${id}` }, "Go on from a photo of your canvas"),
          h("a.button", { href: `#/again/${id}` }, "Paint it differently"),
        ),
        h(
          "div.card",
          {},
          h("h2", {}, "Files"),
          h("a.button", { href: `/works/${id}.zip`, download: true }, "Everything, as a zip"),
          h("ul.files", {}, others.map((name) => h("li", {}, h("a", { href: file(name, true), download: name.split("/").at(-1) }, NAMES[name] || name)))),
          files.known.includes("contact_sheet.png") && h("a", { href: file("contact_sheet.png"), target: "_blank", rel: "noopener" }, h("img.sheet", { src: file("contact_sheet.png"), alt: "Contact sheet of the process", loading: "lazy" })),
        ),
        h("div.row", {}, removal(said), said.seconds > 0 && h("span.hint", {}, `painted in ${Math.round(said.seconds)} s`)),
      ),
    );
  }

  function steps(files, file) {
    const last = files.steps.length - 1;
    if (last < 1) return null;
    const image = h("img.whole", { src: file(files.steps[last]), alt: "" });
    const output = h("output", { for: "step" });
    const input = h("input", { type: "range", id: "step", min: 0, max: last, value: last });
    const show = () => {
      const n = Number(input.value);
      image.src = file(files.steps[n]);
      image.alt = `Step ${n + 1}`;
      output.textContent = `${n + 1} of ${last + 1} · ${Math.round(100 * files.progress[n])} %`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", show);
    show();
    return h("div.steps", {}, h("h2", {}, h("label", { for: "step" }, "Step by step")), image, h("div.row", {}, input, output));
  }

  async function again() {
    try {
      await post(`/api/works/${id}/again`);
      shown = "";
      await load();
      refresh();
    } catch (error) {
      say(error.message);
    }
  }

  function removal(said) {
    let sure = false;
    const button = h("button.quiet", {}, "Remove");
    button.addEventListener("click", async () => {
      if (!sure) {
        sure = true;
        button.textContent = "Remove for good?";
        setTimeout(() => ((sure = false), (button.textContent = "Remove")), 4000);
        return;
      }
      try {
        await remove(`/api/works/${said.id}`);
        location.hash = "#/gallery";
      } catch (error) {
        say(error.message);
      }
    });
    return button;
  }

  function advance({ queue }) {
    const entry = queue.find((one) => one.id === id);
    if (entry && progress) {
      stage.textContent = stageOf(entry);
      progress.set(shareOf(entry));
    }
    const state = entry ? (entry.progress ? "painting" : "queued") : null;
    if ((state && state !== shown && shown !== "painting") || (!state && ["queued", "painting"].includes(shown))) load();
  }

  load();
  return ["", place, listen(advance)];
}
