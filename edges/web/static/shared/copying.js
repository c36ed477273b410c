/** Buttons that copy, and say that they did. */

import { announce, element, fill, icon } from "./dom.js";
import { text } from "./text.js";

const SAID_MS = 1_600;

/**
 * Make a button that copies a text.
 *
 * @param {string} content
 * @param {string} what what it is, for the button's name
 * @param {{label?: string}} [look] a label to show beside the icon
 */
export function copyButton(content, what, { label } = {}) {
  const face = () => [icon("copy"), label];
  const button = element(
    "button",
    {
      type: "button",
      class: label ? "button" : "button bare",
      "aria-label": text("copy.name", { what }),
      title: label ? null : content,
      onclick: copy,
    },
    face(),
  );

  async function copy() {
    const isCopied = await write(content);
    fill(button, icon(isCopied ? "check" : "copy"), label && (isCopied ? text("copy.short-done") : text("copy.short-failed")));
    announce(isCopied ? text("copy.done", { what }) : text("copy.failed", { what }));
    setTimeout(() => fill(button, face()), SAID_MS);
  }
  return button;
}

/**
 * Put a text on the clipboard, also where the page came without TLS and the browser keeps its clipboard from it.
 *
 * @param {string} content
 */
async function write(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    const field = element("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
    field.value = content;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return isCopied;
  }
}
