// The page: which view is shown follows the address, so that a reload shows the same.

import { get } from "./api.js";
import { fill, h, say } from "./dom.js";
import * as live from "./live.js";
import { gallery } from "./gallery.js";
import { paint } from "./paint.js";
import { queueBar } from "./queue.js";
import { work } from "./work.js";

const FROM = {
  picture: (id) => ({ picture: id }),
  again: (id) => ({ work: id }),
  canvas: (id) => ({ work: id, canvas: true }),
};

const main = document.getElementById("main");
let leave = () => {};

function route(about) {
  const [, view = "", id = ""] = location.hash.slice(1).split("/");
  leave();
  say("");
  const [title, element, left] =
    view === "gallery"
      ? gallery()
      : view === "work"
        ? work(id)
        : paint(about, FROM[view]?.(id) || {});
  leave = left || (() => {});
  document.title = title ? `${title} · Studio` : "Studio";
  fill(main, element);
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === (view === "gallery" ? "#/gallery" : view === "work" ? "" : "#/");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

async function start() {
  try {
    const about = await get("/api/about");
    queueBar(document.getElementById("queue"));
    live.start();
    addEventListener("hashchange", () => {
      if (location.hash === "#main") return;
      route(about);
      main.focus({ preventScroll: true });
    });
    route(about);
  } catch (error) {
    fill(main, h("p.hint", {}, error.message), h("button", { onclick: () => location.reload() }, "Try again"));
  }
}

start();
