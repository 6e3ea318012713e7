// A place to drop a picture on, with a button and pasting for those who do not drag.

import { upload } from "./api.js";
import { fill, h } from "./dom.js";

const KINDS = "image/*,.heic,.avif,.tif,.tiff";

export function dropzone({ title, hint, most, onUpload, takesPaste = false, isSmall = false }) {
  const input = h("input", { type: "file", accept: KINDS, class: "unseen" });
  const line = h("p.hint", { role: "status" }, hint);
  const progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const label = h("label.button", {}, "Choose a file", input);
  const element = h(
    "div.drop",
    { class: isSmall ? "small" : "" },
    h("p.title", {}, title),
    label,
    line,
    progress,
  );
  let busy = false;

  async function take(file) {
    if (!file || busy) return;
    busy = true;
    progress.hidden = false;
    progress.removeAttribute("value");
    element.classList.remove("wrong");
    fill(line, `Sending ${file.name || "the picture"} …`);
    try {
      const picture = await upload(file, most, (share) => (progress.value = share));
      fill(line, hint);
      onUpload(picture);
    } catch (error) {
      element.classList.add("wrong");
      fill(line, error.message);
    } finally {
      busy = false;
      progress.hidden = true;
      input.value = "";
    }
  }

  input.addEventListener("change", () => take(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    element.addEventListener(kind, (event) => {
      event.preventDefault();
      element.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    element.addEventListener(kind, () => element.classList.remove("over"));
  }
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  const paste = (event) => take(event.clipboardData?.files[0]);
  // A picture that misses the zone must not replace the page.
  const keep = (event) => event.preventDefault();
  addEventListener("dragover", keep);
  addEventListener("drop", keep);
  if (takesPaste) addEventListener("paste", paste);
  return {
    element,
    close() {
      removeEventListener("paste", paste);
      removeEventListener("dragover", keep);
      removeEventListener("drop", keep);
    },
  };
}
