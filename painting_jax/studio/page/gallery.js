// The gallery: all that was asked for, the newest first.

import { get } from "./api.js";
import { fill, h, isStill } from "./dom.js";
import { listen } from "./live.js";

export const STATES = {
  queued: "waiting",
  painting: "is being painted",
  failed: "failed",
  cancelled: "cancelled",
  interrupted: "interrupted",
};

function card(work) {
  const done = work.state === "done";
  const [height, width] = work.shape;
  const picture = done
    ? h("video", {
        src: `/works/${work.id}/process.mp4`,
        poster: `/works/${work.id}/shown.jpg`,
        preload: "none",
        muted: true,
        loop: true,
        playsinline: true,
        tabindex: -1,
        "aria-hidden": "true",
      })
    : h("img", { src: `/works/${work.id}/shown.jpg`, alt: "", loading: "lazy", width, height });
  if (done) picture.muted = true;
  const play = () => done && !isStill.matches && picture.play().catch(() => {});
  const rest = () => {
    if (!done) return;
    picture.pause();
    picture.load();
  };
  return h(
    "li",
    {},
    h(
      "a.card.work",
      {
        href: `#/work/${work.id}`,
        onmouseenter: play,
        onmouseleave: rest,
        onfocus: play,
        onblur: rest,
      },
      h("span.frame", {}, picture),
      h("span.name", {}, work.name),
      h("span.hint", {}, work.in_words + (work.goes_on ? ", from a canvas" : "")),
      !done && h("span.state", { class: work.state }, STATES[work.state] || work.state),
    ),
  );
}

export function gallery() {
  const grid = h("ul.grid");
  const more = h("button", { hidden: true, onclick: () => load(grid.children.length) }, "Show more");
  const empty = h(
    "p.hint",
    { hidden: true },
    "Nothing has been painted yet. ",
    h("a", { href: "#/" }, "Drop a picture"),
    " to begin.",
  );
  const count = h("p.hint", { role: "status" });
  let version = "";

  async function load(first) {
    const page = await get(`/api/works?first=${first}`).catch(() => null);
    if (!page) return;
    const cards = page.works.map(card);
    if (first) grid.append(...cards);
    else fill(grid, cards);
    more.hidden = grid.children.length >= page.count;
    empty.hidden = page.count > 0;
    count.textContent = page.count ? `${page.count} ${page.count === 1 ? "painting" : "paintings"}` : "";
  }

  load(0);
  // A step of a painting changes no card: only works that come, go, or end do.
  const key = ({ queue }) => queue.map(({ id, progress }) => id + Boolean(progress)).join();
  const left = listen((state) => {
    if (key(state) !== version) {
      const first = version === "";
      version = key(state);
      if (!first || state.queue.length) load(0);
    }
  });
  const page = h("section.gallery", {}, h("h1", {}, "Gallery"), count, empty, grid, more);
  return ["Gallery", page, left];
}
