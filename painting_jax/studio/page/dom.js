// Elements from names, attributes and children. Text is always text: nothing is parsed as HTML.

export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className += ` ${value}`;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child != null && child !== false));
}

let hiding;

// One line at the bottom of the page, read out by screen readers.
export function say(line) {
  const says = document.getElementById("says");
  clearTimeout(hiding);
  fill(
    says,
    line && h("p", {}, line),
    line && h("button.quiet", { "aria-label": "Close this message", onclick: () => say("") }, "×"),
  );
  says.hidden = !line;
  if (line) hiding = setTimeout(() => say(""), 12000);
}

export function seconds(count) {
  if (count < 1) return "a moment";
  if (count < 60) return `${Math.round(count)} s`;
  const minutes = Math.round(count / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const isStill = matchMedia("(prefers-reduced-motion: reduce)");
