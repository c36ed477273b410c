/** Buttons that copy, and say that they did. */

import { announce, element, fill, icon } from "./dom.js";

const SAID_MS = 1_600;

/**
 * Make a button that copies a text.
 *
 * @param {string} text
 * @param {string} what what it is, for the button's name: "mentor id"
 * @param {{label?: string}} [look] a label to show beside the icon
 */
export function copyButton(text, what, { label } = {}) {
  const face = () => [icon("copy"), label];
  const button = element(
    "button",
    {
      type: "button",
      class: label ? "button" : "button bare",
      "aria-label": `Copy ${what}`,
      title: label ? null : text,
      onclick: copy,
    },
    face(),
  );

  async function copy() {
    const isCopied = await write(text);
    fill(button, icon(isCopied ? "check" : "copy"), label && (isCopied ? "Copied" : "Not copied"));
    announce(isCopied ? `Copied ${what}.` : `Could not copy ${what}.`);
    setTimeout(() => fill(button, face()), SAID_MS);
  }
  return button;
}

/**
 * Put a text on the clipboard, also where the page came without TLS and the browser keeps its clipboard from it.
 *
 * @param {string} text
 */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
    field.value = text;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return isCopied;
  }
}
