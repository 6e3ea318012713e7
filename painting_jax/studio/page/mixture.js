// Sliders of media whose shares sum to 100. One medium by itself until another is raised.

import { h } from "./dom.js";

export function mixture(media, shares = { oil: 1 }, onChange = () => {}) {
  const names = Object.keys(media);
  const share = Object.fromEntries(names.map((name) => [name, 100 * (shares[name] || 0)]));
  const rows = {};

  function show() {
    for (const name of names) {
      const { input, output, row } = rows[name];
      const whole = Math.round(share[name]);
      input.value = whole;
      input.setAttribute("aria-valuetext", `${whole} percent`);
      input.style.setProperty("--share", `${share[name]}%`);
      output.textContent = whole ? `${whole} %` : "";
      row.classList.toggle("used", whole > 0);
    }
  }

  function set(name, value) {
    const others = names.filter((other) => other !== name && share[other] > 0);
    const sum = others.reduce((total, other) => total + share[other], 0);
    // Alone it is the whole: it shrinks as another grows.
    share[name] = sum ? value : 100;
    for (const other of others) {
      share[other] = (share[other] * (100 - share[name])) / sum;
      if (share[other] < 0.5) share[other] = 0;
    }
    const total = names.reduce((all, each) => all + share[each], 0);
    for (const each of names) share[each] *= 100 / total;
    show();
    onChange(weights());
  }

  const only = (name) => {
    for (const each of names) share[each] = each === name ? 100 : 0;
    show();
    onChange(weights());
  };

  const list = names.map((name) => {
    const id = `medium-${name}`;
    const input = h("input", { type: "range", id, min: 0, max: 100, step: 1 });
    // The value before a drag: a single medium cannot be less than the whole.
    input.addEventListener("input", () => set(name, Number(input.value)));
    const output = h("output", { for: id });
    const label = name.replaceAll("_", " ");
    const button = h(
      "button.quiet.only",
      { type: "button", onclick: () => only(name), "aria-label": `${label} alone` },
      "only",
    );
    const row = h("li", {}, h("label", { for: id }, label), input, output, button);
    rows[name] = { input, output, row };
    return row;
  });

  const weights = () =>
    Object.fromEntries(names.filter((name) => share[name] >= 0.5).map((name) => [name, share[name] / 100]));
  show();
  return { element: h("ul.mixture", {}, list), weights };
}

// The shares of a mixture as it is written: "oil:0.7,pencil:0.3".
export function sharesOf(medium) {
  return Object.fromEntries(
    medium.split(",").map((part) => {
      const [name, weight] = part.split(":");
      return [name.trim(), weight ? Number(weight) : 1];
    }),
  );
}
