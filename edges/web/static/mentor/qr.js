/** Draws a QR code: of the server's SVG its size and the path of the dark modules are taken, and nothing else. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} text
 * @param {string} name what it shows, for those who do not see it
 */
export function drawQr(text, name) {
  const given = new DOMParser().parseFromString(text, "image/svg+xml");
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("viewBox", given.documentElement.getAttribute("viewBox") ?? "0 0 1 1");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", name);
  drawn.setAttribute("shape-rendering", "crispEdges");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", given.querySelector("path[stroke]")?.getAttribute("d") ?? "");
  drawn.append(path);
  return drawn;
}
